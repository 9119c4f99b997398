"""REST: pools, volumes, and uploads on their way. Files themselves are sent to `/uploads/` by tus 1.0.0."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse
from ninja import Query, Router, Schema, Status
from ninja.pagination import paginate
from pydantic import Field

from accounts.permissions import Verb
from accounts.scoping import require
from core.http import idempotency_key, signed_in
from core.paging import Paging
from operations.api import OperationOut
from operations.models import Operation
from storage import actions, exported, listing
from storage.models import (
    Export,
    ExportState,
    Pool,
    PoolQuerySet,
    Upload,
    UploadQuerySet,
    UploadState,
    Volume,
    VolumeKind,
)

router = Router(tags=["storage"])

# Hosts that were made from one image have pools of one UUID; `host` then tells which is meant.
HostUUID = Annotated[
    str, Query(description="UUID of the pool's host, where several have a pool of this UUID")
]


class PoolOut(Schema):
    """A pool as last seen; sizes in bytes."""

    uuid: UUID
    name: str
    host: UUID = Field(alias="host.uuid")
    host_name: str = Field(alias="host.name")
    kind: str
    state: str
    path: str
    capacity_bytes: int
    allocation_bytes: int
    available_bytes: int
    seen_at: datetime | None


class VolumeOut(Schema):
    """A volume. `capacity_bytes` is what a guest sees, `allocation_bytes` what it takes on the host.

    `format` is what the panel made or found by looking into the bytes where `ours`, else what the host says of it.
    `ready` is false while it is being made, filled or deleted.
    """

    uuid: UUID
    label: str
    name: str
    path: str
    pool: UUID = Field(alias="pool.uuid")
    kind: VolumeKind
    format: str
    ours: bool
    ready: bool
    capacity_bytes: int
    allocation_bytes: int
    backing_path: str
    sha256: str
    details: dict[str, int | str | list[str]]
    seen_at: datetime | None


class UseOut(Schema):
    """Something that uses a volume, and its page."""

    name: str
    url: str


class VolumeDetail(VolumeOut):
    """A volume with those who use it."""

    used_by: list[UseOut]


class VolumePage(Schema):
    """Part of a list; `count` is the length of all of it."""

    count: int
    items: list[VolumeOut]


class NewVolumeIn(Schema):
    """A new, empty disk; its size is rounded up to whole MiB."""

    label: str
    capacity_bytes: int
    format: str = "qcow2"


class ExportOut(Schema):
    """A disk as one file; `sha256` and `size_bytes` are known once it is ready."""

    uuid: UUID
    volume: UUID = Field(alias="volume.uuid")
    filename: str
    state: ExportState
    size_bytes: int
    sha256: str
    expires_at: datetime | None


class UploadOut(Schema):
    """A file on its way; go on with it at `address`, by tus."""

    uuid: UUID
    address: str
    filename: str
    fingerprint: str
    size_bytes: int
    offset_bytes: int
    state: UploadState
    error: str
    volume: UUID | None

    @staticmethod
    def resolve_address(upload: Upload) -> str:
        """Where tus finds it."""
        return f"/uploads/{upload.uuid}"

    @staticmethod
    def resolve_volume(upload: Upload) -> UUID | None:
        """What it became."""
        return upload.volume.uuid if upload.volume else None


@router.get("pools", response=list[PoolOut], summary="List pools")
@paginate(Paging)
def list_pools(request: HttpRequest) -> PoolQuerySet:
    """All pools of all hosts, by host and name."""
    require(signed_in(request), Verb.STORAGE_VIEW)
    return listing.pools(signed_in(request))


@router.get("pools/{uuid}", response=PoolOut, summary="One pool")
def get_pool(request: HttpRequest, uuid: UUID, host: HostUUID = "") -> Pool:
    """As last seen."""
    return _pool(request, uuid, host, Verb.STORAGE_VIEW)


@router.post("pools/{uuid}/refresh", response={202: OperationOut}, summary="Look at a pool again")
def refresh(request: HttpRequest, uuid: UUID, host: HostUUID = "") -> Status[Operation]:
    """Files that came or went beside the panel are told by no event; this finds them now."""
    pool = _pool(request, uuid, host, Verb.STORAGE_MANAGE)
    return Status(202, actions.refresh_pool(pool=pool, actor=signed_in(request)))


@router.get("pools/{uuid}/volumes", response=VolumePage, summary="List volumes")
def list_volumes(
    request: HttpRequest,
    uuid: UUID,
    *,
    host: HostUUID = "",
    q: str = "",
    kind: str = "",
    offset: Annotated[int, Field(ge=0, lt=2**31)] = 0,
    limit: Annotated[int, Field(ge=1, le=500)] = 100,
) -> dict[str, Any]:
    """Of one pool, by name; `q` is part of a name."""
    pool = _pool(request, uuid, host, Verb.STORAGE_VIEW)
    rows = listing.volumes(pool, text=q, kind=kind).select_related("pool")
    return {"count": rows.count(), "items": rows[offset : offset + limit]}


@router.post("pools/{uuid}/volumes", response={202: OperationOut}, summary="Create a disk")
def create_volume(
    request: HttpRequest, uuid: UUID, body: NewVolumeIn, host: HostUUID = ""
) -> Status[Operation]:
    """202 with the operation, whose target is the volume; 422 beside a field. `Idempotency-Key` is heeded."""
    operation = actions.create_volume(
        pool=_pool(request, uuid, host, Verb.STORAGE_MANAGE),
        label=body.label,
        format=body.format,
        capacity_bytes=body.capacity_bytes,
        actor=signed_in(request),
        idempotency_key=idempotency_key(request),
    )
    return Status(202, operation)


@router.get("volumes/{uuid}", response=VolumeDetail, summary="One volume")
def get_volume(request: HttpRequest, uuid: UUID) -> Volume:
    """What `qemu-img info` would tell of it, and who uses it."""
    volume = _volume(request, uuid, Verb.STORAGE_VIEW)
    [shown] = listing.with_uses(volume.pool, [volume])
    volume.used_by = shown.uses  # type: ignore[attr-defined]  # for the schema
    return volume


@router.delete("volumes/{uuid}", response={202: OperationOut}, summary="Delete a volume")
def delete_volume(request: HttpRequest, uuid: UUID) -> Status[Operation]:
    """For ever; 409 while something uses it."""
    volume = _volume(request, uuid, Verb.STORAGE_MANAGE)
    return Status(202, actions.delete_volume(volume=volume, actor=signed_in(request)))


@router.post("volumes/{uuid}/export", response={202: OperationOut}, summary="Export a disk")
def export_volume(request: HttpRequest, uuid: UUID) -> Status[Operation]:
    """202 with the operation, which makes one compressed qcow2 file of it; 409 while its machine is on."""
    operation = actions.export(
        volume=_volume(request, uuid, Verb.STORAGE_MANAGE),
        actor=signed_in(request),
        idempotency_key=idempotency_key(request),
    )
    return Status(202, operation)


@router.get("exports", response=list[ExportOut], summary="List exports")
def list_exports(request: HttpRequest) -> list[Export]:
    """Newest first; each is deleted at `expires_at`."""
    user = signed_in(request)
    require(user, Verb.STORAGE_MANAGE)
    return list(Export.objects.permitted(user, Verb.STORAGE_MANAGE).select_related("volume"))


@router.get("exports/{uuid}/file", summary="Download an export")
def export_file(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """The qcow2 file; ranges are heeded."""
    found = _export(request, uuid)
    return exported.sent(found.uuid, filename=found.filename)


@router.delete("exports/{uuid}", response={204: None}, summary="Discard an export")
def drop_export(request: HttpRequest, uuid: UUID) -> Status[None]:
    """Before its day is over."""
    actions.drop_export(export=_export(request, uuid), actor=signed_in(request))
    return Status(204, None)


@router.get("uploads", response=list[UploadOut], summary="List your uploads")
def list_uploads(request: HttpRequest) -> UploadQuerySet:
    """Newest first; those that nobody touched for a day are forgotten."""
    user = signed_in(request)
    require(user, Verb.STORAGE_MANAGE)
    return listing.uploads(user)


def _export(request: HttpRequest, uuid: UUID) -> Export:
    found = listing.find_export(signed_in(request), uuid)
    if found is None:
        raise Http404
    return found


def _pool(request: HttpRequest, uuid: UUID, host: str, verb: Verb) -> Pool:
    pool = listing.find_pool(signed_in(request), uuid, host, verb=verb)
    if pool is None:
        raise Http404
    return pool


def _volume(request: HttpRequest, uuid: UUID, verb: Verb) -> Volume:
    volume = listing.find_volume(signed_in(request), uuid, verb=verb)
    if volume is None:
        raise Http404
    return volume
