"""REST for snapshots and the rules by which they are taken. `Idempotency-Key` makes a repeat harmless."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from ninja import Field, Schema, Status

from accounts.permissions import Verb
from core.http import idempotency_key, signed_in
from domains.actions import snapshot_schedule as rules
from domains.actions import snapshots as action
from domains.api.common import Accepted, accepted, permitted, router
from domains.models import Snapshot, SnapshotSchedule
from domains.snapshots.keeping import way


class SnapshotFileOut(Schema):
    """A file that a snapshot needs; `target` is blank for that of the memory."""

    target: str
    path: str


class SnapshotOut(Schema):
    """One snapshot. `name` is libvirt's, `parent` the name of the one before, blank for a first one.

    `memory` is "no", "internal" or "external"; `running` says that the machine is on after going back to it. `external`
    ones are kept in `files`. What the machine does next comes after the `current` one.
    """

    uuid: UUID
    name: str
    label: str
    description: str
    parent: str
    taken_at: datetime | None
    running: bool
    memory: str
    external: bool
    current: bool
    scheduled: bool
    files: list[SnapshotFileOut]


class WayOut(Schema):
    """How a snapshot would be kept now, or, where it is not `possible`, why not."""

    possible: bool
    external: bool
    words: str


class SnapshotsOut(Schema):
    """All snapshots of a machine, the oldest first, and how another would be kept."""

    snapshots: list[SnapshotOut]
    with_memory: WayOut
    without_memory: WayOut


class TakeIn(Schema):
    """A snapshot to take; `memory` counts where the machine is on. `quiesce` asks its guest's agent to help."""

    label: str
    description: str = ""
    memory: bool = True
    quiesce: bool = False


class RenameIn(Schema):
    """What people call it."""

    label: str
    description: str = ""


class DeleteSnapshotIn(Schema):
    """Whether those that came after it go, too."""

    children: bool = False


class ScheduleIn(Schema):
    """Every 1, 2, 3, 4, 6, 8 or 12 hours, or 0: daily. `minute` counts from midnight UTC (else its minutes count)."""

    every_hours: int = 0
    minute: int = 0
    keep: int = Field(default=7)
    memory: bool = False


class ScheduleOut(ScheduleIn):
    """The rule, when it is next followed, and in `told` what came of the last time, blank where all was well."""

    next_at: datetime
    last_at: datetime | None
    told: str


@router.get("/{uuid:uuid}/snapshots", response=SnapshotsOut, summary="Snapshots of a virtual machine")
def list_snapshots(request: HttpRequest, uuid: UUID) -> SnapshotsOut:
    """Those last seen, with what keeps them."""
    domain = permitted(request, uuid, Verb.DOMAIN_VIEW)
    rows = domain.snapshots.present().prefetch_related("files")
    ways = {memory: way(domain, memory=memory) for memory in (True, False)}
    return SnapshotsOut(
        snapshots=[_out(row) for row in rows],
        with_memory=WayOut.from_orm(ways[True]),
        without_memory=WayOut.from_orm(ways[False]),
    )


@router.post("/{uuid:uuid}/snapshots", response={202: Accepted}, summary="Take a snapshot")
def take(request: HttpRequest, uuid: UUID, body: TakeIn) -> Status[Accepted]:
    """202 with the operation; 409 where it can't be kept."""
    operation = action.take(
        domain=permitted(request, uuid, Verb.DOMAIN_EDIT),
        **body.dict(),
        actor=signed_in(request),
        idempotency_key=idempotency_key(request),
    )
    return Status(202, accepted(operation))


@router.put(
    "/{uuid:uuid}/snapshots/{uuid:snapshot_uuid}",
    response=SnapshotOut,
    summary="Call a snapshot something else",
)
def rename(request: HttpRequest, uuid: UUID, snapshot_uuid: UUID, body: RenameIn) -> SnapshotOut:
    """The snapshot with its new name; libvirt's own stays."""
    row = _row(request, uuid, snapshot_uuid, Verb.DOMAIN_EDIT)
    action.rename(snapshot=row, **body.dict(), actor=signed_in(request))
    row.refresh_from_db()
    return _out(row)


@router.post(
    "/{uuid:uuid}/snapshots/{uuid:snapshot_uuid}/revert",
    response={202: Accepted},
    summary="Go back to a snapshot",
)
def revert(request: HttpRequest, uuid: UUID, snapshot_uuid: UUID) -> Status[Accepted]:
    """202 with the operation; what came after the snapshot is lost."""
    operation = action.revert(
        snapshot=_row(request, uuid, snapshot_uuid, Verb.DOMAIN_EDIT),
        actor=signed_in(request),
        idempotency_key=idempotency_key(request),
    )
    return Status(202, accepted(operation))


@router.post(
    "/{uuid:uuid}/snapshots/{uuid:snapshot_uuid}/delete",
    response={202: Accepted},
    summary="Delete a snapshot",
)
def delete(request: HttpRequest, uuid: UUID, snapshot_uuid: UUID, body: DeleteSnapshotIn) -> Status[Accepted]:
    """202 with the operation, which tells how far the merging is; 409 where something is based on it."""
    operation = action.delete(
        snapshot=_row(request, uuid, snapshot_uuid, Verb.DOMAIN_EDIT),
        children=body.children,
        actor=signed_in(request),
        idempotency_key=idempotency_key(request),
    )
    return Status(202, accepted(operation))


@router.get("/{uuid:uuid}/snapshot-schedule", response=ScheduleOut, summary="When snapshots are taken")
def schedule(request: HttpRequest, uuid: UUID) -> SnapshotSchedule:
    """The rule; 404 where there is none."""
    domain = permitted(request, uuid, Verb.DOMAIN_VIEW)
    return get_object_or_404(SnapshotSchedule, domain=domain)


@router.put("/{uuid:uuid}/snapshot-schedule", response=ScheduleOut, summary="Take snapshots by the clock")
def set_schedule(request: HttpRequest, uuid: UUID, body: ScheduleIn) -> SnapshotSchedule:
    """The rule, which is followed in the caller's name."""
    domain = permitted(request, uuid, Verb.DOMAIN_EDIT)
    return rules.set_schedule(domain=domain, **body.dict(), actor=signed_in(request))


@router.delete("/{uuid:uuid}/snapshot-schedule", response={204: None}, summary="Take no more by the clock")
def clear_schedule(request: HttpRequest, uuid: UUID) -> Status[None]:
    """204, also where there was no rule."""
    rules.clear_schedule(domain=permitted(request, uuid, Verb.DOMAIN_EDIT), actor=signed_in(request))
    return Status(204, None)


def _row(request: HttpRequest, uuid: UUID, snapshot_uuid: UUID, verb: Verb) -> Snapshot:
    domain = permitted(request, uuid, verb)
    rows = Snapshot.objects.present().filter(domain=domain).select_related("domain__host", "domain__team")
    found: Snapshot = get_object_or_404(rows, uuid=snapshot_uuid)
    return found


def _out(row: Snapshot) -> SnapshotOut:
    fields = {name: getattr(row, name) for name in SnapshotOut.model_fields if name != "files"}
    files = [SnapshotFileOut(target=file.target, path=file.path) for file in row.files.all()]
    return SnapshotOut(**fields, files=files)
