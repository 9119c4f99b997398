"""Runs one operation to its end, or as far as it gets; whoever comes next goes on from the journal.

Order for each step: journal the intent, look whether the effect is there already, act, journal the outcome. On
failure or cancel the steps are taken back in reverse. What may pass (a host that doesn't answer) is tried again
later. It has ATTEMPTS attempts in all, those counted that its worker did not survive, and as many to be taken back;
what has used them up is parked: it ends, and people are told.
"""

from __future__ import annotations

import time
from contextlib import suppress
from datetime import timedelta
from uuid import UUID

import structlog
from django.db import DatabaseError, InterfaceError, OperationalError, connection, transaction

from accounts.models import User
from accounts.scoping import allowed
from core.errors import Conflict, Forbidden
from operations import journal, queue, stopping, targets
from operations.failures import Failure, explain
from operations.heartbeat import Heartbeat
from operations.models import Operation, OperationState, OperationStep, StepState
from operations.procedures import Step, on_settled, steps_of, verb_of
from operations.run import Cancelled, Later, Run

log = structlog.get_logger(__name__)

ATTEMPTS = 3
BACK_OFF = timedelta(seconds=5)
# For so long a worker waits for the database to say that its absence is no attempt.
DATABASE_BACK_S, LOOK_AGAIN_S = 60.0, 1.0
# Nothing that happens after one of these can be written down: stop, and let the lease run out.
STOP = (journal.LeaseLost, OperationalError, InterfaceError)

Pairs = list[tuple[Step, OperationStep]]


def execute(operation_id: UUID) -> None:
    """Take the operation if it is due, and run it. Returns quietly where another worker has it, or ours is to stop."""
    if stopping.told():
        return
    operation = None
    with structlog.contextvars.bound_contextvars(operation=str(operation_id)):
        try:
            operation = journal.claim(operation_id)
            if operation is not None:
                with Heartbeat(operation):
                    _execute(operation)
                if operation.long:
                    _make_room()
        except STOP as error:
            log.warning("gave the operation up; the next attempt goes on from the journal", error=repr(error))
            if operation is not None and not isinstance(error, journal.LeaseLost):
                _let_go(operation)


def _let_go(operation: Operation) -> None:
    """Say so as soon as the database is there again. Nobody else can take the operation before."""
    until = time.monotonic() + DATABASE_BACK_S
    while not stopping.told():
        with suppress(DatabaseError, InterfaceError):
            connection.close_if_unusable_or_obsolete()
            journal.let_go(operation)
            return
        connection.close()
        if time.monotonic() > until:
            return
        time.sleep(LOOK_AGAIN_S)


def _execute(operation: Operation) -> None:
    pairs = _pair_up(operation)
    if pairs is None:
        _settle(
            operation, OperationState.FAILED, error="This version of the panel does not know how to do this."
        )
        return
    try:
        if operation.undoing:
            _undo(operation, pairs)
        else:
            _attempt(operation, pairs)
    except Later as later:
        # To wait is no attempt. Those before it count on: a step may wait for what it left when its worker died.
        journal.put_back(
            operation,
            after=timedelta(seconds=later.after_s),
            message=later.message,
            attempts=max(operation.attempts - 1, 0),
        )
        if later.parts and journal.parts_ended(operation, later.parts):
            journal.wake(operation.pk)


def _make_room() -> None:
    """Send those that waited until fewer long ones run; the first to be claimed wins."""
    for waiting in journal.waiting_for_room():
        queue.enqueue(waiting)


def _pair_up(operation: Operation) -> Pairs | None:
    """Each step with its row; None where the code of today does not fit the operation."""
    try:
        steps = steps_of(operation.kind, operation.params)
    except Exception as error:
        if _stops(operation, error):
            raise
        log.exception("no procedure for this operation", kind=operation.kind)
        return None
    rows = journal.lay_out(operation, [step.title for step in steps])
    if len(rows) != len(steps):
        log.error("the procedure has other steps than when the operation began", kind=operation.kind)
        return None
    return list(zip(steps, rows, strict=True))


def _attempt(operation: Operation, pairs: Pairs) -> None:
    try:
        _check_sane(operation)
        _advance(operation, pairs)
    except (*STOP, Later):
        raise
    except Cancelled:
        _turn_back(operation, pairs)
    except Exception as error:  # noqa: BLE001  (every failure of a step must end in a state that people can read)
        _failed(operation, pairs, explain(error))
    else:
        _settle(operation, OperationState.SUCCEEDED)


def _check_sane(operation: Operation) -> None:
    if _used_up(operation):
        raise Conflict("Every attempt at this broke off.", fix="Tell your operator; the logs tell more.")
    if operation.actor is not None and not operation.committed:
        _check_still_allowed(operation, operation.actor)


def _check_still_allowed(operation: Operation, actor: User) -> None:
    """A right may be taken back while an operation waits; messages may be forged: the worker asks again."""
    if not actor.is_active:
        raise Forbidden("The person who asked for this may not sign in any more.")
    thing = targets.find(operation.target_kind, operation.target_id)
    if not allowed(actor, verb_of(operation.kind), thing):
        raise Forbidden("The person who asked for this may not do it any more.")


def _advance(operation: Operation, pairs: Pairs) -> None:
    whole = sum(step.weight for step, _ in pairs)
    before = 0
    for step, row in pairs:
        run = Run(operation, start=before / whole, share=step.weight / whole)
        before += step.weight
        if row.state == StepState.DONE:
            continue
        run.check_cancelled()
        if step.point_of_no_return and not journal.commit(operation):
            raise Cancelled
        begun = row.state == StepState.RUNNING
        journal.mark(operation, row, StepState.RUNNING, progress=run.percent(0), message="")
        if not step.probe(run):
            if begun and step.at_most_once:
                raise Conflict(
                    "Nobody can tell whether this happened, so it is not done again.",
                    fix="Look at the machine, and ask again if it didn't.",
                )
            step.do(run)
        journal.mark(operation, row, StepState.DONE)


def _failed(operation: Operation, pairs: Pairs, failure: Failure) -> None:
    if not operation.committed and journal.cancel_requested(operation):
        _turn_back(operation, pairs)
        return
    if failure.passing and operation.attempts < ATTEMPTS:
        for step, row in pairs:
            if row.state == StepState.RUNNING and step.at_most_once and failure.untouched:
                journal.mark(operation, row, StepState.PENDING)
        _try_later(operation, failure)
        return
    if failure.passing or _used_up(operation):
        _park(operation)
    for _, row in pairs:
        if row.state == StepState.RUNNING:
            journal.say(operation, f"{row.title}: {failure.message}")
            journal.mark(operation, row, StepState.FAILED)
    if operation.committed:
        rest = ", ".join(
            row.title for step, row in pairs if row.state != StepState.DONE and not step.only_tells
        )
        _settle(
            operation,
            OperationState.FAILED,
            error=failure.message,
            fix=failure.fix,
            left_behind=f"Not done: {rest}" if rest else "",
        )
        return
    _turn_back(operation, pairs, failure)


def _try_later(operation: Operation, failure: Failure) -> None:
    after = BACK_OFF * 2**operation.attempts
    journal.say(operation, f"{failure.message} Trying again in {after.seconds} s.")
    journal.put_back(operation, after=after, message=failure.message, attempts=operation.attempts)


def _turn_back(operation: Operation, pairs: Pairs, failure: Failure | None = None) -> None:
    """Take everything back; without a failure a person asked for it. This is the first attempt at that."""
    reason = {"error": failure.message, "fix": failure.fix} if failure else {}
    journal.write(operation, undoing=True, attempts=1, message="", **reason)
    _undo(operation, pairs)


def _used_up(operation: Operation) -> bool:
    """Whether it had all its attempts before this one, and none of them came to an end."""
    return operation.attempts > ATTEMPTS


def _park(operation: Operation) -> None:
    """It will not be tried again: somebody has to look."""
    if operation.parked:
        return
    log.error("gave up after the last attempt", kind=operation.kind, target=operation.target_name)
    journal.write(operation, parked=True)


def _undo(operation: Operation, pairs: Pairs) -> None:
    left: list[str] = []
    for step, row in reversed(pairs):
        if row.state in (StepState.PENDING, StepState.UNDONE):
            continue
        failure = _undo_one(operation, step, row)
        if failure is None:
            journal.mark(operation, row, StepState.UNDONE)
        elif failure.passing and operation.attempts < ATTEMPTS:
            _try_later(operation, failure)
            return
        else:
            left.append(f"{row.title}: {failure.message}")
            if failure.passing or _used_up(operation):
                _park(operation)
    state = OperationState.FAILED if operation.error else OperationState.CANCELLED
    _settle(operation, state, left_behind="\n".join(left))


def _undo_one(operation: Operation, step: Step, row: OperationStep) -> Failure | None:
    if _used_up(operation):
        return Failure(message="every attempt to take this back broke off.", fix="", passing=False)
    journal.write(operation, message=f"Taking back: {row.title}"[:255])
    journal.tell(operation)
    try:
        step.undo(Run(operation))
    except (*STOP, Later):
        raise
    except Exception as error:  # noqa: BLE001  (one thing that can't be taken back must not keep the others)
        return explain(error)
    return None


def _settle(operation: Operation, state: OperationState, **changes: str) -> None:
    """End it, with what the room wants to write in the same transaction."""
    hook = on_settled(operation.kind)
    try:
        with transaction.atomic():
            if hook is not None:
                hook(Run(operation), state == OperationState.SUCCEEDED)
            journal.finish(operation, state, **changes)
    except Exception as error:
        if _stops(operation, error):
            raise
        # A defect in the hook must not keep the target locked for ever.
        failure = explain(error)
        left = [
            changes.get("left_behind", ""),
            f"The inventory was not brought up to date: {failure.message}",
        ]
        changes["left_behind"] = "\n".join(filter(None, left))
        changes.setdefault("error", operation.error or failure.message)
        journal.finish(operation, OperationState.FAILED, **changes)


def _stops(operation: Operation, error: Exception) -> bool:
    """Whether it is one of STOP; what the database refuses again and again is a failure as any other."""
    if _used_up(operation):
        return isinstance(error, journal.LeaseLost)
    return isinstance(error, STOP)
