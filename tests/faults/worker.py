"""The panel's own worker, in whose children operations meet the fate that a test wrote for them.

A fate is a file named after the operation's id in the folder PANEL_TEST_FATES. Each line names a boundary of a step's
journal ("1:before done": the second step's effect is there, the journal does not know yet); the lines are met in order.
There the process kills itself or, where the line ends in " as cancelled", somebody asks the operation to stop.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

from celery.signals import worker_process_init

from kvmpanel.worker import main

__all__ = ["main"]


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
    """Die here, or be cancelled, if this is what comes next for the operation."""
    fate = Path(os.environ["PANEL_TEST_FATES"], str(operation.pk))
    lines = fate.read_text().splitlines() if fate.exists() else []
    place, _, action = lines[0].partition(" as ") if lines else ("", "", "")
    if place != boundary:
        return
    fate.write_text("\n".join(lines[1:]))
    if action == "cancelled":
        type(operation).objects.filter(pk=operation.pk).update(cancel_requested=True)
    else:
        os.kill(os.getpid(), signal.SIGKILL)
