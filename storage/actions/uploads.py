"""Bringing files: from the first word about one to the operation that stores it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import transaction
from django.db.models.functions import Now

import audit
from accounts.models import User
from accounts.permissions import Verb
from accounts.scoping import require
from core.errors import Conflict, InvalidInput, PanelError
from core.events import publish
from core.units import human_bytes
from hypervisor.specs import ImageFormat
from operations import actions as operations
from operations.models import Operation
from storage import labels, space, spool
from storage.actions.volumes import reserve
from storage.models import Pool, Upload, UploadState, VolumeKind

if TYPE_CHECKING:
    from storage.inspection import Content

MAX_AT_ONCE = 8
MAX_FINGERPRINT = 200


@transaction.atomic
def begin_upload(*, pool: Pool, filename: str, size_bytes: int, fingerprint: str, actor: User) -> Upload:
    """A place for a file of `size_bytes` to arrive at; empty, or what is here already of the same file.

    `fingerprint` is the sender's own name for the file's content: with it a second tab, or the same tab after a
    reload, goes on with the upload there is. Raises Forbidden, Conflict, and InvalidInput for `file`.
    """
    require(actor, Verb.STORAGE_MANAGE, pool)
    pool = space.lock(pool)
    fingerprint = fingerprint[:MAX_FINGERPRINT]
    mine = Upload.objects.filter(owner=actor, state=UploadState.RECEIVING)
    same: Upload | None = mine.filter(pool=pool, fingerprint=fingerprint, size_bytes=size_bytes).first()
    if same is not None and fingerprint:
        return same
    # What was said of an earlier try is no longer news.
    Upload.objects.filter(owner=actor, fingerprint=fingerprint, state=UploadState.REFUSED).delete()
    if not pool.usable or pool.gone_at is not None or pool.host.gone_at is not None:
        raise Conflict(f"Pool {pool.name} is not active.", fix="Start it, or choose another pool.")
    if mine.count() >= MAX_AT_ONCE:
        raise Conflict(
            f"You have {MAX_AT_ONCE} unfinished uploads.", fix="Finish or discard one of them first."
        )
    _check_size(pool, size_bytes)
    upload: Upload = Upload.objects.create(
        owner=actor,
        pool=pool,
        filename=labels.from_filename(filename),
        fingerprint=fingerprint,
        size_bytes=size_bytes,
    )
    spool.begin(upload.uuid)
    audit.record(actor, "upload.begin", target=upload, pool=pool.name, size_bytes=size_bytes)
    publish("uploads")
    return upload


def _check_size(pool: Pool, size_bytes: int) -> None:
    if size_bytes <= 0:
        raise InvalidInput("The file is empty.", field="file", fix="Choose another one.")
    free = space.free_bytes(pool)
    if size_bytes > free:
        raise InvalidInput(
            f"The file has {human_bytes(size_bytes)}, pool {pool.name} has {human_bytes(free)} free.",
            field="file",
            fix="Free some space there, or choose another pool.",
        )
    here = spool.free_bytes()
    if size_bytes > here:
        raise InvalidInput(
            f"The panel's own disk has {human_bytes(here)} left for files on their way.",
            field="file",
            fix="Free some space on the panel's machine.",
        )


def note_progress(upload: Upload, offset_bytes: int) -> None:
    """Write down how much is here, for people; the file itself is what counts."""
    Upload.objects.filter(pk=upload.pk).update(offset_bytes=offset_bytes, touched_at=Now())
    publish("uploads")


def refuse_upload(*, upload: Upload, reason: InvalidInput) -> None:
    """The file can't be used: keep the words, not the bytes."""
    words = f"{reason.message} {reason.fix}".strip()
    with transaction.atomic():
        changed = Upload.objects.filter(pk=upload.pk, state=UploadState.RECEIVING).update(
            state=UploadState.REFUSED, error=words, touched_at=Now()
        )
        if changed:
            publish("uploads")
            transaction.on_commit(lambda: spool.drop(upload.uuid))


def finish_upload(*, upload: Upload, actor: User) -> Operation | None:
    """All bytes are here: have them stored. None where that was asked for before.

    Raises Forbidden, Conflict, and InvalidInput for a file that can't be used; such a one is gone then.
    """
    from storage import inspection  # 9 MB of the web process, which most never need

    require(actor, Verb.STORAGE_MANAGE, upload.pool)
    try:
        content = inspection.inspect_file(
            spool.path_of(upload.uuid), filename=upload.filename, size_bytes=upload.size_bytes
        )
    except InvalidInput as reason:
        refuse_upload(upload=upload, reason=reason)
        raise
    except FileNotFoundError:
        return None
    try:
        return _store(upload, actor, content)
    except PanelError as error:
        # The file is good and stays here: it can be stored when what is in the way is gone.
        Upload.objects.filter(pk=upload.pk).update(error=error.message, touched_at=Now())
        publish("uploads")
        raise


@transaction.atomic
def _store(upload: Upload, actor: User, content: Content) -> Operation | None:
    # One conditional UPDATE decides between two that see the last byte at the same moment.
    waiting = Upload.objects.filter(pk=upload.pk, state=UploadState.RECEIVING)
    if not waiting.update(
        state=UploadState.STORING, error="", touched_at=Now(), offset_bytes=upload.size_bytes
    ):
        return None
    if content.brought_as:
        return _convert(upload, actor, content)
    volume = reserve(
        pool=upload.pool,
        label=upload.filename,
        format=ImageFormat.RAW,
        # A disk in a file that grows may be larger than the file; what the pool must hold is the file.
        capacity_bytes=upload.size_bytes,
        kind=VolumeKind.ISO if content.kind == VolumeKind.ISO else VolumeKind.OTHER,
    )
    if content.kind == VolumeKind.DISK:
        volume.kind, volume.format, volume.capacity_bytes = (
            content.kind,
            content.format,
            content.capacity_bytes,
        )
        volume.save(update_fields=["kind", "format", "capacity_bytes"])
    Upload.objects.filter(pk=upload.pk).update(volume=volume)
    audit.record(actor, "volume.import", target=volume, pool=upload.pool.name, size_bytes=upload.size_bytes)
    publish("uploads")
    return operations.submit(
        "volume.import",
        title=f"Store {upload.filename}",
        target=volume,
        actor=actor,
        params={"volume": str(volume.uuid), "upload": str(upload.uuid), "size_bytes": upload.size_bytes},
        long=True,
    )


def _convert(upload: Upload, actor: User, content: Content) -> Operation:
    """Two volumes: the file as it was brought, for as long as it takes, and the disk that stays."""
    volume = reserve(
        pool=upload.pool,
        label=upload.filename,
        format=content.format,
        capacity_bytes=content.capacity_bytes,
        kind=VolumeKind.DISK,
    )
    volume.hints = content.hints
    volume.save(update_fields=["hints"])
    brought = reserve(
        pool=upload.pool,
        label=f"{upload.filename[:180]} (as brought)",
        format=ImageFormat.RAW,
        capacity_bytes=content.size_bytes,
        kind=VolumeKind.OTHER,
    )
    Upload.objects.filter(pk=upload.pk).update(volume=volume)
    audit.record(actor, "volume.import", target=volume, pool=upload.pool.name, size_bytes=upload.size_bytes)
    publish("uploads")
    return operations.submit(
        "volume.import",
        title=f"Convert and store {upload.filename}",
        target=volume,
        actor=actor,
        params={
            "volume": str(volume.uuid),
            "upload": str(upload.uuid),
            "brought": str(brought.uuid),
            "brought_as": content.brought_as,
            "offset": content.offset,
            "size_bytes": content.size_bytes,
        },
        long=True,
        takes=[brought],
    )


@transaction.atomic
def discard_upload(*, upload: Upload, actor: User) -> None:
    """Forget an upload and its bytes. Raises Forbidden, and Conflict while it is being stored."""
    require(actor, Verb.STORAGE_MANAGE, upload.pool)
    if not Upload.objects.filter(pk=upload.pk).exclude(state=UploadState.STORING).delete()[0]:
        raise Conflict("It is being stored just now.", fix="Cancel that operation, or wait for its end.")
    audit.record(actor, "upload.discard", target=upload)
    publish("uploads")
    transaction.on_commit(lambda: spool.drop(upload.uuid))
