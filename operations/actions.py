"""Submitting and cancelling."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

from django.db import IntegrityError, connection, models, transaction
from django.db.models import Q
from django.db.models.functions import Now

import audit
from accounts.models import Team, User
from accounts.permissions import Verb
from accounts.scoping import require
from core.errors import Conflict, InvalidInput, TargetBusy
from operations import journal, queue
from operations.models import ACTIVE, Hold, Operation, OperationLog, OperationState

MOST_REMARK = 4000


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
    parent: Operation | None = None,
    long: bool = False,
    holds: Collection[models.Model] = (),
    takes: Collection[models.Model] = (),
) -> Operation:
    """Write the row and, after commit, put its id on the queue.

    `target` has `uuid` and a name as text. The caller has checked the permission and written the audit row in the
    same transaction. With an `idempotency_key` seen before, the operation it made is returned, if it is of this kind
    and about the same target; else Conflict is raised (see `once`). Raises TargetBusy while another operation on the
    target is active.

    `parent` is the operation whose work this is a part of; it is woken when this one ends. `long` is for what may take
    more than a few minutes: see `journal.claim`. `holds` are things that it needs as they are: TargetBusy is raised
    while something is at work on one of them, and by every `submit` about one of them while this one is active. Any
    number of operations may hold the same thing. `takes` are things that it makes, changes or deletes: as `holds`, and
    no two operations take the same, or hold what another takes.
    """
    _lock([target, *holds, *takes])
    operation = Operation(
        kind=kind,
        title=title,
        target_kind=target._meta.model_name or "",
        target_id=target.uuid,  # type: ignore[attr-defined]
        target_name=str(target),
        actor=actor,
        team=team,
        params=params,
        idempotency_key=idempotency_key,
        parent=parent,
        long=long,
        enqueued_at=Now(),  # with the row, so that its message need not wait for another write
    )
    shared = [_hold(operation, thing, alone=False) for thing in holds]
    return _begin(operation, [*shared, *(_hold(operation, thing, alone=True) for thing in takes)])


def _hold(operation: Operation, thing: models.Model, *, alone: bool) -> Hold:
    kind, key = thing._meta.model_name or "", thing.uuid  # type: ignore[attr-defined]
    return Hold(operation=operation, target_kind=kind, target_id=key, alone=alone)


def _begin(operation: Operation, holds: Collection[Hold]) -> Operation:
    # Twice, because the operation that was in the way may end between our refusal and our look at it.
    for _ in range(2):
        try:
            with transaction.atomic():
                operation.save(force_insert=True)
        except IntegrityError:
            same = _in_the_way(operation)
            if same is not None:
                return same
        else:
            del operation.enqueued_at  # an expression; whoever asks for it reads what it came to
            _take_hold(operation, holds)
            journal.tell_all(operation)
            transaction.on_commit(lambda: queue.send(operation.pk, long=operation.long))
            return operation
    raise Conflict("Something else began here at the same moment.", fix="Try again.")


def remark(operation: Operation, text: str) -> None:
    """Begin the log of an operation that was submitted in this transaction, by what was decided before it."""
    OperationLog.objects.create(operation=operation, text=text[:MOST_REMARK])


def earlier(
    actor: User, idempotency_key: str | None, kind: str, target: models.Model | None = None
) -> Operation | None:
    """The operation of this kind that this person's same click or call made before, if any.

    `target` is what it must be about; None for what makes its target itself. Raises Conflict where the key was used
    for something else.
    """
    if not idempotency_key:
        return None
    before: Operation | None = Operation.objects.filter(idempotency_key=idempotency_key, actor=actor).first()
    if before is None:
        return None
    about = before.target_id if target is None else target.uuid  # type: ignore[attr-defined]
    return _same_request(before, Operation(kind=kind, target_id=about, actor=actor))


def once(
    actor: User,
    idempotency_key: str | None,
    ask: Callable[[], Operation],
    *,
    kind: str,
    target: models.Model | None = None,
) -> Operation:
    """`ask()`, or the operation that this person's same click or call made before.

    For what reserves rows before it submits: where the other half of a double click was faster, its reservations are
    what `ask` finds in its way, and those of `ask` are rolled back. `kind` and `target` as in `earlier`.
    """
    before = earlier(actor, idempotency_key, kind, target)
    if before is not None:
        return before
    try:
        with transaction.atomic():
            return ask()
    except (Conflict, InvalidInput):
        before = earlier(actor, idempotency_key, kind, target)
        if before is None:
            raise
        return before


def _lock(things: Collection[models.Model]) -> None:
    """Let one after the other begin with the same thing: who holds it and who works on it must see each other."""
    if not connection.features.has_select_for_update:
        return  # SQLite: its write lock, taken when the transaction began, is for everything
    for thing in sorted(things, key=lambda thing: (thing._meta.label, thing.pk)):
        rows = type(thing)._default_manager.filter(pk=thing.pk).order_by().select_for_update(no_key=True)
        rows.values_list("pk").first()


def _take_hold(operation: Operation, holds: Collection[Hold]) -> None:
    """Write down what `operation` holds. Raises TargetBusy where something it needs, or is about, is not free."""
    others = Operation.objects.active().exclude(pk=operation.pk)
    holder = others.filter(
        holds__target_kind=operation.target_kind, holds__target_id=operation.target_id
    ).first()
    if holder is not None:
        raise _busy(f"It has to stay as it is until this has ended: {holder.title}.", holder)
    for hold in holds:
        held = Q(holds__target_kind=hold.target_kind, holds__target_id=hold.target_id)
        if not hold.alone:
            held &= Q(holds__alone=True)
        about = Q(target_kind=hold.target_kind, target_id=hold.target_id)
        other = others.filter(about | held).first()
        if other is not None:
            raise _busy(f"Another operation is still at work on what this needs: {other.title}.", other)
    Hold.objects.bulk_create(holds)


def _busy(words: str, other: Operation) -> TargetBusy:
    return TargetBusy(words, operation_id=str(other.pk), fix="Wait for its end, or cancel it.")


def _in_the_way(operation: Operation) -> Operation | None:
    """The operation that the same click or call made before; None where nothing is in the way (any more)."""
    if operation.idempotency_key:
        same: Operation | None = Operation.objects.filter(idempotency_key=operation.idempotency_key).first()
        if same is not None:
            return _same_request(same, operation)
    other = Operation.objects.active().about(operation.target_kind, operation.target_id).first()
    if other is None:
        return None
    raise _busy(f"Another operation is still at work here: {other.title}.", other)


def _same_request(before: Operation, now: Operation) -> Operation:
    if before.actor_id != now.actor_id:
        whose = "by somebody else"
    elif (before.kind, before.target_id) != (now.kind, now.target_id):
        whose = "for something else"
    else:
        return before
    raise Conflict(f"This key was used before, {whose}.", fix="Send the request with a new key.")


@transaction.atomic
def cancel(*, operation: Operation, actor: User) -> Operation:
    """Ask for the operation to stop; it ends at its next step's border and takes back what it did.

    Asking twice is asking once. Raises Conflict where it ended, or has passed its point of no return.
    """
    require(actor, Verb.OPERATION_CANCEL, operation)
    if not _request_cancel(operation):
        raise Conflict("It can't be cancelled any more: it has ended, or passed the point of no return.")
    if not operation.cancel_requested:
        audit.record(actor, "operation.cancel", target=operation)
    operation.refresh_from_db()
    journal.tell_all(operation)
    if operation.state == OperationState.QUEUED:
        transaction.on_commit(lambda: queue.enqueue(operation.pk))
    return operation


@transaction.atomic
def stop_part(part: Operation) -> None:
    """Ask a part to stop because its whole is to stop; one that can't any more goes on to its end."""
    if not part.cancel_requested and _request_cancel(part):
        part.refresh_from_db()
        journal.tell_all(part)
        if part.state == OperationState.QUEUED:
            transaction.on_commit(lambda: queue.enqueue(part.pk))


def _request_cancel(operation: Operation) -> bool:
    still = Operation.objects.filter(pk=operation.pk, state__in=ACTIVE, committed=False)
    # One that waits to be tried again need not wait for that.
    return bool(still.update(cancel_requested=True, not_before=None))
