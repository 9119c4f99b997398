"""Asking for a disk as a file to take away."""

from __future__ import annotations

import uuid

from django.db import transaction
from django.db.models import Model

import audit
from accounts.models import User
from accounts.permissions import Verb
from accounts.scoping import require
from core.errors import Conflict, InvalidInput
from core.units import human_bytes
from hypervisor.specs import ImageFormat
from operations import actions as operations
from operations.models import Operation
from storage import exported, inventory, labels, space, spool
from storage.actions.volumes import reserve
from storage.models import Export, ExportState, Volume, VolumeKind
from storage.usage import users_of

MAX_AT_ONCE = 8


@transaction.atomic
def export(*, volume: Volume, actor: User, idempotency_key: str | None = None) -> Operation:
    """Ask for the disk as one compressed qcow2 file that stands alone, with its SHA-256. It is kept for a day.

    Until it is there nothing is done with the machines that have the disk.

    Raises Forbidden, TargetBusy, InvalidInput for what is no disk, and Conflict where there is no room.
    """
    require(actor, Verb.STORAGE_MANAGE, volume)

    def ask() -> Operation:
        _check(volume, actor)
        made = Export.objects.create(
            uuid=uuid.uuid4(),
            owner=actor,
            volume=volume,
            filename=f"{labels.from_filename(str(volume)).removesuffix('.qcow2')}.qcow2",
        )
        flat = None if volume.format == ImageFormat.RAW else _flat(volume)
        audit.record(actor, "volume.export", target=volume, pool=volume.pool.name)
        return operations.submit(
            "volume.export",
            title=f"Export {volume}",
            target=volume,
            actor=actor,
            params={
                "volume": str(volume.uuid),
                "export": str(made.uuid),
                "flat": None if flat is None else str(flat.uuid),
            },
            idempotency_key=idempotency_key,
            long=volume.allocation_bytes >= space.LONG_COPY_BYTES,
            holds=_writers(volume),
            takes=[] if flat is None else [flat],
        )

    return operations.once(actor, idempotency_key, ask, kind="volume.export", target=volume)


def _check(volume: Volume, actor: User) -> None:
    if volume.kind != VolumeKind.DISK or volume.format not in set(ImageFormat):
        raise InvalidInput("Only a disk can be exported.", field="volume")
    if not volume.ready:
        raise Conflict("It is being made or deleted just now.", fix="Wait for the end of that operation.")
    if Export.objects.filter(owner=actor).count() >= MAX_AT_ONCE:
        raise Conflict(f"You have {MAX_AT_ONCE} exports already.", fix="Discard one of them first.")
    here = spool.free_bytes()
    if volume.allocation_bytes > here:
        raise Conflict(
            f"It takes up to {human_bytes(volume.allocation_bytes)}, the panel's own disk has"
            f" {human_bytes(here)} left for that.",
            fix="Free some space on the panel's machine.",
        )


def _writers(volume: Volume) -> set[Model]:
    """What would change the disk if anything were done with it."""
    uses = users_of(volume.pool.host, [volume.path]).get(volume.path, []) if volume.path else []
    return {use.thing for use in uses if use.thing is not None and not use.base}


def _flat(volume: Volume) -> Volume:
    """The row of the raw copy that its bytes are read from; it is there for as long as that takes."""
    pool = space.lock(volume.pool)
    free = space.free_bytes(pool)
    if volume.allocation_bytes > free:
        raise Conflict(
            f"A copy of it is made in pool {pool.name}, which has {human_bytes(free)} free.",
            fix="Free some space there.",
        )
    flat = reserve(
        pool=pool,
        label=f"{str(volume)[:180]} (being exported)",
        format=ImageFormat.QCOW2,
        capacity_bytes=volume.capacity_bytes,
        kind=VolumeKind.OTHER,
    )
    # A raw file with holes: `reserve` would ask for room for all of it.
    Volume.objects.filter(pk=flat.pk).update(format=ImageFormat.RAW, name=f"{flat.uuid}.img")
    return flat


@transaction.atomic
def drop_export(*, export: Export, actor: User) -> None:
    """Forget an export and its file. Raises Forbidden, and Conflict while it is being made."""
    require(actor, Verb.STORAGE_MANAGE, export)
    if not Export.objects.filter(pk=export.pk, state=ExportState.READY).delete()[0]:
        raise Conflict("It is being made just now.", fix="Cancel that operation, or wait for its end.")
    audit.record(actor, "export.discard", target=export)
    inventory.tell(export.volume.pool)
    transaction.on_commit(lambda: exported.drop(export.uuid))
