"""The site's own Celery app, in whose children operations meet the fate that a test wrote for them.

A fate is a file named after the operation's id in the folder PANEL_TEST_FATES; it names a boundary of a step's journal
("1:before done": the second step's effect is there, the journal does not know yet). There the process kills itself.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

from celery.signals import worker_process_init

from kvmpanel.celery import app

__all__ = ["app"]

FATES = Path(os.environ["PANEL_TEST_FATES"])


@worker_process_init.connect
def wrap_the_journal(**_: Any) -> None:
    """In each child, where the site is set up."""
    import tests.operations.toys  # noqa: F401 (registers its procedure)
    from operations import journal
    from operations.models import Operation, OperationStep, StepState

    original = journal.mark

    def mark(operation: Operation, row: OperationStep, state: StepState, **changes: Any) -> None:
        meet(operation, f"{row.position}:before {state}")
        original(operation, row, state, **changes)
        meet(operation, f"{row.position}:after {state}")

    journal.mark = mark


def meet(operation: Any, boundary: str) -> None:
    """Die here, if this is the operation's fate; each is met once."""
    fate = FATES / str(operation.pk)
    if fate.exists() and fate.read_text() == boundary:
        fate.rename(fate.with_suffix(".met"))
        os.kill(os.getpid(), signal.SIGKILL)
