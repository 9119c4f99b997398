"""Runs one operation to its end, or as far as it gets; whoever comes next goes on from the journal.

Order for each step: journal the intent, look whether the effect is there already, act, journal the outcome. On
failure or cancel the steps are taken back in reverse. What may pass (a host that doesn't answer) is tried again
later, up to ATTEMPTS times in all.
"""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import structlog
from django.db import transaction

from core.errors import Conflict, PanelError, Unavailable
from hypervisor.errors import AccessDenied, Busy, HypervisorError, NoSpace, Unreachable, Unsupported
from operations import journal
from operations.heartbeat import Heartbeat
from operations.models import Operation, OperationState, OperationStep, StepState
from operations.procedures import Step, on_settled, steps_of
from operations.run import Cancelled, Run

log = structlog.get_logger(__name__)

ATTEMPTS = 3
# An operation that takes its worker down with it must not go round for ever.
CLAIMS = 6
FIXES: dict[type[HypervisorError], str] = {
    Unreachable: "Check that the host is up and that libvirtd runs on it.",
    Busy: "Something else works on it. Try again in a moment.",
    NoSpace: "Free some space in the pool, or choose another one.",
    AccessDenied: "The host refused. Check the rights of the panel's user and of the storage folder there.",
    Unsupported: "This host's libvirt or QEMU can't do this.",
}
Pairs = list[tuple[Step, OperationStep]]


def execute(operation_id: UUID) -> None:
    """Take the operation if it is due, and run it. Returns quietly where another worker has it."""
    operation = journal.claim(operation_id)
    if operation is None:
        return
    structlog.contextvars.bind_contextvars(operation=str(operation.pk), kind=operation.kind)
    try:
        with Heartbeat(operation):
            _execute(operation)
    except journal.LeaseLost:
        log.warning("lease lost")
    finally:
        structlog.contextvars.unbind_contextvars("operation", "kind")


def _execute(operation: Operation) -> None:
    try:
        steps = steps_of(operation.kind, operation.params)
        pairs = list(zip(steps, journal.lay_out(operation, [s.title for s in steps]), strict=True))
    except Exception:
        log.exception("an operation that no code understands")
        journal.finish(operation, OperationState.FAILED, error="This panel does not know how to do this.")
        return
    if operation.undoing:
        _undo(operation, pairs)
        return
    if operation.attempts > CLAIMS:
        _failed(operation, pairs, Conflict("Every worker that took this died at it."))
        return
    try:
        _advance(operation, pairs)
    except Cancelled:
        _turn_back(operation, pairs, error="", fix="")
    except journal.LeaseLost:
        raise
    except Exception as error:  # noqa: BLE001  (every failure of a step must end in a state that people can read)
        _failed(operation, pairs, error)
    else:
        _settle(operation, OperationState.SUCCEEDED)


def _advance(operation: Operation, pairs: Pairs) -> None:
    for step, row in pairs:
        if row.state == StepState.DONE:
            continue
        run = Run(operation, heed_cancel=not _committed(pairs))
        run.check_cancelled()
        share = 100 * row.position // len(pairs)
        journal.mark(operation, row, StepState.RUNNING, progress=share, message=step.title)
        if not step.probe(run):
            step.do(run)
        journal.mark(operation, row, StepState.DONE)


def _committed(pairs: Pairs) -> bool:
    return any(
        step.point_of_no_return and row.state in (StepState.DONE, StepState.RUNNING) for step, row in pairs
    )


def _failed(operation: Operation, pairs: Pairs, error: Exception) -> None:
    message, fix, passing = _words(error)
    if passing and operation.attempts < ATTEMPTS:
        journal.put_back(operation, after=timedelta(seconds=5 * 2**operation.attempts), error=message)
        return
    for _, row in pairs:
        if row.state == StepState.RUNNING:
            journal.mark(operation, row, StepState.FAILED)
    if _committed(pairs) or any(s.point_of_no_return and r.state == StepState.FAILED for s, r in pairs):
        rest = ", ".join(row.title for _, row in pairs if row.state != StepState.DONE)
        _settle(operation, OperationState.FAILED, error=message, fix=fix, left_behind=f"Not done: {rest}")
        return
    _turn_back(operation, pairs, error=message, fix=fix)


def _words(error: Exception) -> tuple[str, str, bool]:
    """What to show, what to do about it, and whether it may pass by itself."""
    if isinstance(error, HypervisorError):
        fix = next((text for kind, text in FIXES.items() if isinstance(error, kind)), "")
        return str(error), fix, isinstance(error, (Unreachable, Busy))
    if isinstance(error, PanelError):
        return error.message, error.fix, isinstance(error, Unavailable)
    log.error("a step broke", exc_info=error)
    return f"The panel broke: {type(error).__name__}.", "Tell your operator; the log has the details.", False


def _turn_back(operation: Operation, pairs: Pairs, *, error: str, fix: str) -> None:
    journal.write(
        operation, undoing=True, error=error, fix=fix, message="Taking back what was done", attempts=0
    )
    _undo(operation, pairs)


def _undo(operation: Operation, pairs: Pairs) -> None:
    left: list[str] = []
    for step, row in reversed(pairs):
        if row.state in (StepState.PENDING, StepState.UNDONE):
            continue
        if operation.attempts > CLAIMS:
            left.append(f"{row.title}: every worker that tried to take this back died.")
            continue
        try:
            step.undo(Run(operation, heed_cancel=False))
        except journal.LeaseLost:
            raise
        except Exception as error:  # noqa: BLE001  (one thing that can't be taken back must not keep the others)
            message, _, passing = _words(error)
            if passing and operation.attempts < ATTEMPTS:
                journal.put_back(operation, after=timedelta(seconds=5 * 2**operation.attempts), error=message)
                return
            left.append(f"{row.title}: {message}")
        else:
            journal.mark(operation, row, StepState.UNDONE)
    state = OperationState.FAILED if operation.error else OperationState.CANCELLED
    _settle(operation, state, left_behind="\n".join(left))


@transaction.atomic
def _settle(operation: Operation, state: OperationState, **changes: str) -> None:
    journal.finish(operation, state, **changes)
    hook = on_settled(operation.kind)
    if hook is not None:
        hook(Run(operation), state == OperationState.SUCCEEDED)
