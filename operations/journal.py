"""Every write a running operation makes, each bound to the lease's epoch: who lost the lease can't write."""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import models, transaction
from django.db.models import F, Q
from django.db.models.functions import Coalesce, Now

from core.events import publish
from operations import queue
from operations.models import (
    ACTIVE,
    Operation,
    OperationLog,
    OperationQuerySet,
    OperationState,
    OperationStep,
    StepState,
)

LEASE = timedelta(seconds=15)
# How long a message may be under way before the sweeper sends another: with an empty queue it must have been lost,
# behind others it most likely waits its turn, and each copy would make the queue longer.
SILENT = LEASE
SILENT_IN_QUEUE = timedelta(minutes=2)
# How often an attempt that the database cut short does not count. Its log tells how often that was.
FORGIVEN = 5
LET_GO = "The panel's database failed; the next attempt goes on from here."
NO_ROOM = "Waits until another long operation has ended."


class LeaseLost(Exception):
    """Another worker took the operation over, or it ended: stop at once, touch nothing."""


def claim(operation_id: UUID) -> Operation | None:
    """Take the operation if it is due and nobody holds it; None otherwise. One conditional UPDATE decides.

    Of long ones no more than settings.LONG_OPERATIONS begin or go on at once (on PostgreSQL one more, where two are
    claimed at the same moment); those that only have to end, one way or the other, do not wait for the others.
    """
    due = Operation.objects.filter(_due() | _abandoned(), pk=operation_id)
    if not _take(due.exclude(_needs_room())):
        if not _room_for_long():
            due.filter(state=OperationState.QUEUED).update(message=NO_ROOM)
            return None
        if not _take(due):
            return None
    operation: Operation = Operation.objects.select_related("actor").get(pk=operation_id)
    tell_all(operation)
    return operation


def _take(due: OperationQuerySet) -> int:
    return due.update(
        state=OperationState.RUNNING,
        epoch=F("epoch") + 1,
        attempts=F("attempts") + 1,
        lease_until=Now() + LEASE,
        started_at=Coalesce(F("started_at"), Now()),
    )


def _room_for_long() -> bool:
    held = Operation.objects.filter(state=OperationState.RUNNING, long=True, lease_until__gte=Now())
    return bool(held.count() < settings.LONG_OPERATIONS)


def waiting_for_room() -> list[UUID]:
    """The long operations that are next, oldest first, as many as may run at once."""
    waiting = Operation.objects.filter(_due(), _needs_room()).order_by("created_at")
    return list(waiting.values_list("pk", flat=True)[: settings.LONG_OPERATIONS])


def write(operation: Operation, **changes: Any) -> None:
    """Change the row and renew the lease, if the lease is still ours. Raises LeaseLost."""
    changes.setdefault("lease_until", Now() + LEASE)
    if not _held(operation).update(**changes):
        raise LeaseLost(operation.pk)
    for name, value in changes.items():
        if not isinstance(value, models.expressions.Combinable):
            setattr(operation, name, value)


def renew(operation: Operation) -> None:
    """Hold the lease for another while. Raises LeaseLost."""
    write(operation)


def commit(operation: Operation) -> bool:
    """Pass the point of no return. False where a person asked to cancel before: one conditional UPDATE decides."""
    if operation.committed:
        return True
    if not _held(operation).filter(cancel_requested=False).update(committed=True):
        renew(operation)
        return False
    operation.committed = True
    return True


@transaction.atomic
def lay_out(operation: Operation, titles: list[str]) -> list[OperationStep]:
    """The step rows, written at the first attempt and read at later ones."""
    renew(operation)
    rows = list(operation.steps.all())
    if rows:
        return rows
    return list(
        OperationStep.objects.bulk_create(
            OperationStep(operation=operation, position=i, title=title[:160])
            for i, title in enumerate(titles)
        )
    )


@transaction.atomic
def mark(operation: Operation, row: OperationStep, state: StepState, **changes: Any) -> None:
    """Journal a step's state, with `changes` to the operation itself."""
    write(operation, **changes)
    moment = "started_at" if state == StepState.RUNNING else "finished_at"
    OperationStep.objects.filter(pk=row.pk).update(state=state, **{moment: Now()})
    row.state = state
    tell(operation)


@transaction.atomic
def say(operation: Operation, text: str) -> None:
    """Add a line to the log."""
    renew(operation)
    OperationLog.objects.create(operation=operation, text=text[:2000])
    tell(operation)


def put_back(operation: Operation, *, after: timedelta, message: str, **changes: Any) -> None:
    """Give the operation up for now; the sweeper brings it back when it is due."""
    write(
        operation,
        state=OperationState.QUEUED,
        not_before=Now() + after,
        lease_until=None,
        enqueued_at=None,
        message=message[:255],
        **changes,
    )
    tell_all(operation)


@transaction.atomic
def let_go(operation: Operation) -> None:
    """Leave it to the next worker at once: the database failed us, which is no attempt that the operation had.

    After FORGIVEN times it counts as one: there are failures of the database that will never pass.
    """
    forgiven = 1 if operation.log.filter(text=LET_GO).count() < FORGIVEN else 0
    if _held(operation).update(lease_until=Now(), attempts=max(operation.attempts - forgiven, 0)):
        OperationLog.objects.create(operation=operation, text=LET_GO)
        tell(operation)


def hand_back(operation: Operation) -> None:
    """Make this attempt not count: the panel is being stopped, and ends whoever is at it by then.

    Said again while that lasts. Where the attempt gets to its own end before, nothing is different.
    """
    _held(operation).update(attempts=max(operation.attempts - 1, 0))


def parts_ended(operation: Operation, left: int) -> bool:
    """Whether fewer than `left` of its parts are at work by now."""
    return operation.children.active().count() < left


def wake(operation_id: UUID) -> None:
    """Let one that waits for something go on at once: what it waits for may be there."""
    if Operation.objects.filter(pk=operation_id, state=OperationState.QUEUED).update(not_before=None):
        transaction.on_commit(lambda: queue.enqueue(operation_id))


def wake_about(kind: str, keys: Collection[UUID]) -> None:
    """Let those about these things that wait for something (`run.Later`) look at once: the things have changed.

    One that waits to be tried again after a failure goes on waiting; one that had a failure before it came to wait
    looks by itself.
    """
    waiting = Operation.objects.filter(state=OperationState.QUEUED, attempts=0, not_before__isnull=False)
    for operation_id in waiting.filter(target_kind=kind, target_id__in=keys).values_list("pk", flat=True):
        wake(operation_id)


def finish(operation: Operation, state: OperationState, **changes: Any) -> None:
    """End it for ever."""
    if state == OperationState.SUCCEEDED:
        changes["progress"] = 100
    write(operation, state=state, finished_at=Now(), lease_until=None, message="", **changes)
    tell_all(operation)
    parent = operation.parent_id
    if parent is not None:
        # After the commit: a parent that looked before has gone to wait, or looks again then (`parts_ended`).
        transaction.on_commit(lambda: wake(parent))


def cancel_requested(operation: Operation) -> bool:
    """Whether somebody asked, by now, for the operation to stop."""
    return Operation.objects.filter(pk=operation.pk, cancel_requested=True).exists()


def lost(*, silent_for: timedelta) -> list[UUID]:
    """Operations that should be with a worker and, as far as the database can tell, are not."""
    unheard = _due() & (Q(enqueued_at=None) | Q(enqueued_at__lt=Now() - silent_for))
    rows = Operation.objects.filter(unheard | _abandoned(), state__in=ACTIVE)
    return list(rows.order_by("created_at").values_list("pk", flat=True)[:500])


def tell(operation: Operation) -> None:
    """Push the change to who looks at the operation, and to the drawer of the person who asked for it."""
    publish("operation", operation.pk)
    if operation.parent_id is not None:
        publish("operation", operation.parent_id)
    if operation.actor_id is not None:
        publish("drawer", str(operation.actor_id))


def tell_all(operation: Operation) -> None:
    """The same, and to who looks at lists or at what it is about: it began, waits, or ended."""
    tell(operation)
    publish("operations")
    publish(operation.target_kind, operation.target_id)


def _held(operation: Operation) -> OperationQuerySet:
    held: OperationQuerySet = Operation.objects.filter(
        pk=operation.pk, epoch=operation.epoch, state=OperationState.RUNNING
    )
    return held


def _due() -> Q:
    return Q(state=OperationState.QUEUED) & (Q(not_before=None) | Q(not_before__lte=Now()))


def _needs_room() -> Q:
    return Q(long=True, cancel_requested=False, undoing=False, committed=False)


def _abandoned() -> Q:
    return Q(state=OperationState.RUNNING, lease_until__lt=Now())
