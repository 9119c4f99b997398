"""The queue: JSON only, ids only, at-least-once; the operation row is the job (see `operations.engine`)."""

import gc
import os
from typing import Any

from celery import Celery
from celery.signals import (
    setup_logging,
    task_postrun,
    task_prerun,
    worker_init,
    worker_process_init,
    worker_ready,
    worker_shutting_down,
)
from django.db import close_old_connections

from core.memory import give_back_when_settled
from operations import stopping

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "kvmpanel.settings")

# A thread that waits for a host which fell silent at the wrong moment can't be ended, only left behind.
LEFT_BEHIND = 5

app = Celery("kvmpanel")
app.config_from_object("kvmpanel.queue")
app.autodiscover_tasks()
# Procedures register themselves when they are imported. Only workers do this: the web process runs no steps.
app.autodiscover_tasks(related_name="procedures")
# Tasks that ask for operations as the panel itself; `tasks` stand below `actions`, and these above.
app.autodiscover_tasks(related_name="clock")


@setup_logging.connect
def keep_our_logging(**_: Any) -> None:
    """Django's settings have configured it already; that somebody listens here keeps Celery from doing it again."""


@worker_process_init.connect
def become_worker(**_: Any) -> None:
    """Allow connections to hosts, in each child after its fork; Celery's Django fixup has closed the database's."""
    from hosts.connections import act_as  # models may be imported only after the site is set up

    # What came with the fork stays: looking through it for garbage would give each child a copy of the parent's memory.
    gc.freeze()
    act_as("worker")
    give_back_when_settled()


@worker_ready.connect
def settle(**_: Any) -> None:
    """In the parent of the children."""
    give_back_when_settled()


@worker_init.connect
def become_parent(**_: Any) -> None:
    """Before the first fork."""
    stopping.share()
    # Before each fork Celery looks through all memory for garbage: for a tenth of a second, unless that leaves out what
    # was loaded once and for all.
    gc.collect()
    gc.freeze()


@worker_shutting_down.connect
def tell_children(**_: Any) -> None:
    """In the parent, at the supervisor's SIGTERM: their operations have as long as its patience."""
    stopping.tell()


@task_prerun.connect
@task_postrun.connect
def put_connections_back(**_: Any) -> None:
    """As Django does around each request: PostgreSQL's into their pool, which tries each before it lends it again."""
    close_old_connections()


@task_postrun.connect
def renew_when_stuck(**_: Any) -> None:
    """End a child that hosts keep too many threads of, between two tasks; its parent starts another.

    The task that just ended may run again: each is made for that.
    """
    from hosts.connections import left_behind

    if left_behind() > LEFT_BEHIND:
        os._exit(1)
