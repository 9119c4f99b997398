"""Submitting and cancelling."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db import IntegrityError, models, transaction

import audit
from accounts.models import Team, User
from accounts.permissions import Verb
from accounts.scoping import require
from core.errors import Conflict, TargetBusy
from operations import journal, queue
from operations.models import ACTIVE, Operation, OperationState


@transaction.atomic
def submit(
    kind: str,
    *,
    title: str,
    target: models.Model,
    actor: User | None,
    params: dict[str, Any],
    team: Team | None = None,
    idempotency_key: str | None = None,
) -> Operation:
    """Write the row and, after commit, put its id on the queue.

    `target` has `uuid` and a name as text. The caller has checked the permission and written the audit row in the
    same transaction. With an `idempotency_key` seen before, the operation it made is returned.
    Raises TargetBusy while another operation on the same target is active.
    """
    target_kind, target_id = target._meta.model_name or "", target.uuid  # type: ignore[attr-defined]
    try:
        with transaction.atomic():
            operation = Operation.objects.create(
                kind=kind,
                title=title,
                target_kind=target_kind,
                target_id=target_id,
                target_name=str(target),
                actor=actor,
                team=team,
                params=params,
                idempotency_key=idempotency_key,
            )
    except IntegrityError:
        return _already(target_kind, target_id, actor, idempotency_key)
    journal.tell(operation.pk)
    transaction.on_commit(lambda: queue.enqueue(operation.pk))
    return operation


def earlier(actor: User, idempotency_key: str | None) -> Operation | None:
    """The operation that this person's same click or call made before, if any."""
    if not idempotency_key:
        return None
    return Operation.objects.filter(idempotency_key=idempotency_key, actor=actor).first()


def _already(kind: str, key: UUID, actor: User | None, idempotency_key: str | None) -> Operation:
    same = earlier(actor, idempotency_key) if actor else None
    if same is not None:
        return same
    other = Operation.objects.active().about(kind, key).first()
    if other is None:
        raise Conflict("This key was used before, by somebody else.", fix="Send the request with a new key.")
    raise TargetBusy(
        f"Another operation is still at work here: {other.title}.",
        operation_id=str(other.pk),
        fix="Wait for its end, or cancel it.",
    )


@transaction.atomic
def cancel(*, operation: Operation, actor: User) -> Operation:
    """Ask for the operation to stop; it ends at its next step's border and takes back what it did."""
    require(actor, Verb.OPERATION_CANCEL, operation)
    asked = Operation.objects.filter(pk=operation.pk, state__in=ACTIVE).update(cancel_requested=True)
    if not asked:
        raise Conflict("It has ended already.")
    audit.record(actor, "operation.cancel", target=operation)
    # One that waits to be tried again need not wait for that.
    Operation.objects.filter(pk=operation.pk, state=OperationState.QUEUED).update(not_before=None)
    journal.tell(operation.pk)
    transaction.on_commit(lambda: queue.enqueue(operation.pk))
    operation.refresh_from_db()
    return operation
