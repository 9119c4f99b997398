"""What pages, live pieces and REST show of storage: each with the same few queries, however much there is."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db.models import Count, Q
from django.db.models.functions import Now

from accounts.models import User
from accounts.permissions import Verb
from core.http import one_line
from operations.models import ACTIVE, Operation
from storage import usage
from storage.labels import MAX_LABEL
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
    VolumeQuerySet,
)
from storage.usage import Use

NO_USES: list[Use] = []
# How long pages still show an upload that has ended.
AFTERGLOW = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class ShownVolume:
    """A volume with those who use it."""

    volume: Volume
    uses: list[Use]


@dataclass(frozen=True, slots=True)
class ShownUpload:
    """An upload with the operation that stores it, if one is at it."""

    upload: Upload
    operation: Operation | None

    @property
    def waits_to_be_stored(self) -> bool:
        """Whether all of it is here and storing it was tried in vain."""
        return (
            self.upload.state == UploadState.RECEIVING and self.upload.offset_bytes == self.upload.size_bytes
        )


def pools(user: User, verb: Verb = Verb.STORAGE_VIEW) -> PoolQuerySet:
    """Every pool on which `user` may do `verb`, with its host and the number of its volumes."""
    there = Q(volumes__gone_at=None)
    found = Pool.objects.permitted(user, verb).present().select_related("host")
    counted: PoolQuerySet = found.annotate(volume_count=Count("volumes", filter=there))
    return counted


def find_pool(user: User, uuid: UUID, host: str = "", *, verb: Verb = Verb.STORAGE_VIEW) -> Pool | None:
    """One pool. Hosts made from one image have pools of one UUID; `host`, a UUID, then tells which is meant."""
    found = pools(user, verb).filter(uuid=uuid)
    try:
        return found.filter(host__uuid=UUID(host)).first() if host else found.first()
    except ValueError:
        return None


def find_volume(user: User, uuid: UUID, *, verb: Verb = Verb.STORAGE_VIEW) -> Volume | None:
    """One volume that is there, also while it is being made."""
    rows = Volume.objects.permitted(user, verb).filter(
        gone_at=None, pool__gone_at=None, pool__host__gone_at=None
    )
    found: Volume | None = rows.select_related("pool__host").filter(uuid=uuid).first()
    return found


def volumes(pool: Pool, *, text: str = "", kind: str = "") -> VolumeQuerySet:
    """The pool's volumes, also those being made; `text` is part of a label or name."""
    rows: VolumeQuerySet = pool.volumes.filter(gone_at=None)
    if text := one_line(text, most=MAX_LABEL):
        rows = rows.filter(Q(label__icontains=text) | Q(name__icontains=text))
    if kind in VolumeKind.values:
        rows = rows.filter(kind=kind)
    return rows


def find_export(user: User, uuid: UUID) -> Export | None:
    """One file to take away that is ready; None where the person may not have it."""
    rows = Export.objects.permitted(user, Verb.STORAGE_MANAGE).select_related("volume__pool")
    found: Export | None = rows.filter(uuid=uuid, state=ExportState.READY).first()
    return found


def with_uses(pool: Pool, rows: list[Volume]) -> list[ShownVolume]:
    """The volumes of one pool with who uses them."""
    users = usage.users_of(pool.host, [row.path for row in rows if row.path])
    return [ShownVolume(row, users.get(row.path, NO_USES)) for row in rows]


def uploads(user: User) -> UploadQuerySet:
    """A person's own, newest first; none for those who may not bring files."""
    mine: UploadQuerySet = Upload.objects.permitted(user, Verb.STORAGE_MANAGE).filter(owner=user)
    return mine.select_related("volume")


def shown_uploads(user: User) -> list[ShownUpload]:
    """Those on their way, and those that ended a moment ago."""
    on_the_way = Q(state__in=(UploadState.RECEIVING, UploadState.STORING))
    rows = list(uploads(user).filter(on_the_way | Q(touched_at__gt=Now() - AFTERGLOW)))
    keys = [row.volume.uuid for row in rows if row.volume is not None and row.state == UploadState.STORING]
    active = Operation.objects.filter(target_kind="volume", target_id__in=keys, state__in=ACTIVE)
    operations = {operation.target_id: operation for operation in active} if keys else {}
    return [ShownUpload(row, operations.get(row.volume.uuid) if row.volume else None) for row in rows]


def drop(user: User, among: Iterable[Pool]) -> dict[str, Any]:
    """The context of `storage/_drop.html`: the pools that files can be brought to, and those on their way."""
    usable = [pool for pool in among if pool.usable] if user.can(Verb.STORAGE_MANAGE) else []
    return {"drop_pools": usable, "uploads": shown_uploads(user) if usable else []}
