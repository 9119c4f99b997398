"""The queue: JSON only, ids only, at-least-once; the operation row is the job (see `operations.engine`)."""

import gc
import os
from typing import Any

from celery import Celery
from celery.signals import setup_logging, task_postrun, worker_before_create_process, worker_process_init

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "kvmpanel.settings")

# A thread that waits for a host which fell silent at the wrong moment can't be ended, only left behind.
LEFT_BEHIND = 5

app = Celery("kvmpanel")
app.config_from_object("kvmpanel.queue")
app.autodiscover_tasks()
# Procedures register themselves when they are imported. Only workers do this: the web process runs no steps.
app.autodiscover_tasks(related_name="procedures")


@setup_logging.connect
def keep_our_logging(**_: Any) -> None:
    """Django's settings have configured it already; that somebody listens here keeps Celery from doing it again."""


@worker_before_create_process.connect
def share_memory_with_children(**_: Any) -> None:
    """Leave what is loaded out of collections: one in a child would write to all of it, and so copy it."""
    gc.freeze()


@worker_process_init.connect
def become_worker(**_: Any) -> None:
    """Allow connections to hosts, in each child after its fork; Celery's Django fixup has closed the database's."""
    from hosts.connections import act_as  # models may be imported only after the site is set up

    act_as("worker")


@task_postrun.connect
def renew_when_stuck(**_: Any) -> None:
    """End a child that hosts keep too many threads of, between two tasks; its parent starts another.

    The task that just ended may run again: each is made for that.
    """
    from hosts.connections import left_behind

    if left_behind() > LEFT_BEHIND:
        os._exit(1)
