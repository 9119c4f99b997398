"""Every write a running operation makes, each bound to the lease's epoch: who lost the lease can't write."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import models, transaction
from django.db.models import F, Q
from django.db.models.functions import Coalesce, Now

from core.events import publish
from operations.models import ACTIVE, Operation, OperationLog, OperationState, OperationStep, StepState

LEASE = timedelta(seconds=15)


class LeaseLost(Exception):
    """Another worker took the operation over, or it ended: stop at once, touch nothing."""


def claim(operation_id: UUID) -> Operation | None:
    """Take the operation if it is due and nobody holds it; None otherwise. One conditional UPDATE decides."""
    due = Q(state=OperationState.QUEUED) & (Q(not_before=None) | Q(not_before__lte=Now()))
    abandoned = Q(state=OperationState.RUNNING, lease_until__lt=Now())
    taken = Operation.objects.filter(due | abandoned, pk=operation_id).update(
        state=OperationState.RUNNING,
        epoch=F("epoch") + 1,
        attempts=F("attempts") + 1,
        lease_until=Now() + LEASE,
        started_at=Coalesce(F("started_at"), Now()),
    )
    if not taken:
        return None
    tell(operation_id)
    return Operation.objects.select_related("actor", "team").get(pk=operation_id)


def write(operation: Operation, **changes: Any) -> None:
    """Change the row and renew the lease, if the lease is still ours. Raises LeaseLost."""
    changes.setdefault("lease_until", Now() + LEASE)
    held = Operation.objects.filter(pk=operation.pk, epoch=operation.epoch, state=OperationState.RUNNING)
    if not held.update(**changes):
        raise LeaseLost(operation.pk)
    for name, value in changes.items():
        if not isinstance(value, models.expressions.Combinable):
            setattr(operation, name, value)


def renew(operation: Operation) -> None:
    """Hold the lease for another while. Raises LeaseLost."""
    write(operation)


@transaction.atomic
def lay_out(operation: Operation, titles: list[str]) -> list[OperationStep]:
    """The step rows, written at the first attempt and read at later ones."""
    renew(operation)
    rows = list(operation.steps.all())
    if not rows:
        rows = [OperationStep(operation=operation, position=i, title=title) for i, title in enumerate(titles)]
        OperationStep.objects.bulk_create(rows)
    tell(operation.pk)
    return list(operation.steps.all())


@transaction.atomic
def mark(operation: Operation, row: OperationStep, state: StepState, **changes: Any) -> None:
    """Journal a step's state, with `changes` to the operation itself."""
    write(operation, **changes)
    moment: dict[str, Any] = {"state": state}
    if state == StepState.RUNNING:
        moment["started_at"] = Now()
    else:
        moment["finished_at"] = Now()
    OperationStep.objects.filter(pk=row.pk).update(**moment)
    row.state = state
    tell(operation.pk)


def say(operation: Operation, text: str) -> None:
    """Add a line to the log."""
    OperationLog.objects.create(operation=operation, text=text[:2000])
    tell(operation.pk)


def put_back(operation: Operation, *, after: timedelta, error: str) -> None:
    """Give the operation up for now; the sweeper brings it back when it is due."""
    write(
        operation,
        state=OperationState.QUEUED,
        not_before=Now() + after,
        lease_until=None,
        enqueued_at=None,
        message=error[:255],
    )
    tell(operation.pk)


def finish(operation: Operation, state: OperationState, **changes: Any) -> None:
    """End it for ever."""
    if state == OperationState.SUCCEEDED:
        changes["progress"] = 100
    write(operation, state=state, finished_at=Now(), lease_until=None, message="", **changes)
    tell(operation.pk)


def cancel_requested(operation: Operation) -> bool:
    """Whether somebody asked, by now, for the operation to stop."""
    return Operation.objects.filter(pk=operation.pk, cancel_requested=True).exists()


def due() -> list[UUID]:
    """Operations that should be with a worker and, as far as the database can tell, are not."""
    stale = Now() - LEASE
    waiting = Q(state=OperationState.QUEUED) & (Q(not_before=None) | Q(not_before__lte=Now()))
    lost = waiting & (Q(enqueued_at=None) | Q(enqueued_at__lt=stale))
    abandoned = Q(state=OperationState.RUNNING, lease_until__lt=Now())
    return list(
        Operation.objects.filter(lost | abandoned, state__in=ACTIVE)
        .order_by("created_at")
        .values_list("pk", flat=True)[:500]
    )


def tell(operation_id: UUID) -> None:
    """Push the change to whoever looks at the operation, at the list, or at the number in the top bar."""
    publish("operation", operation_id)
    publish("operations")
