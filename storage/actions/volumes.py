"""Making and deleting volumes, and looking at a pool again."""

from __future__ import annotations

import uuid

from django.db import transaction

import audit
from accounts.models import Team, User
from accounts.permissions import Verb
from accounts.scoping import require
from core.errors import Conflict, InvalidInput
from core.units import MIB, TIB, human_bytes
from hypervisor.specs import ImageFormat
from operations import actions as operations
from operations.models import Operation
from storage import labels, space, usage
from storage.models import Pool, Volume, VolumeKind

# Far above any disk in use, far below what QEMU, file systems and a byte count can hold.
MAX_CAPACITY_BYTES = 64 * TIB
SUFFIXES = {VolumeKind.ISO: "iso", ImageFormat.QCOW2: "qcow2", ImageFormat.RAW: "img"}


@transaction.atomic
def reserve(
    *,
    pool: Pool,
    label: str,
    format: str,  # noqa: A002
    capacity_bytes: int,
    kind: VolumeKind,
    team: Team | None = None,
) -> Volume:
    """A row for a volume that an operation of the caller's will make; its name on the host comes from its UUID.

    The size of a disk is rounded up to whole MiB; `team` is whose machine it is for. The caller has checked the
    permission.
    Raises InvalidInput for `label`, `format` or `capacity_bytes`, and Conflict where the pool can't be used now.
    """
    pool = space.lock(pool)
    if not pool.usable or pool.gone_at is not None:
        raise Conflict(f"Pool {pool.name} is not active.", fix="Start it, or choose another pool.")
    if format not in set(ImageFormat):
        raise InvalidInput("Give qcow2 or raw.", field="format")
    _check_capacity(pool, format, capacity_bytes)
    if kind == VolumeKind.DISK:
        capacity_bytes = -(-capacity_bytes // MIB) * MIB
    key = uuid.uuid4()
    suffix = SUFFIXES[VolumeKind.ISO] if kind == VolumeKind.ISO else SUFFIXES[ImageFormat(format)]
    return Volume.objects.create(
        uuid=key,
        pool=pool,
        label=labels.checked(label, field="label"),
        kind=kind,
        team=team,
        ours=True,
        ready=False,
        name=f"{key}.{suffix}",
        format=format,
        capacity_bytes=capacity_bytes,
    )


def _check_capacity(pool: Pool, format: str, capacity_bytes: int) -> None:  # noqa: A002
    field = "capacity_bytes"
    if capacity_bytes <= 0:
        raise InvalidInput("A disk needs a size.", field=field, fix="Give at least 1 MiB.")
    if capacity_bytes > MAX_CAPACITY_BYTES:
        raise InvalidInput(f"At most {human_bytes(MAX_CAPACITY_BYTES)}.", field=field, fix="Give less.")
    free = space.free_bytes(pool)
    if format == ImageFormat.RAW and capacity_bytes > free:
        raise InvalidInput(
            f"Pool {pool.name} has {human_bytes(free)} free.",
            field=field,
            fix="Give less, free some space, or choose qcow2, which grows with use.",
        )


@transaction.atomic
def create_volume(
    *,
    pool: Pool,
    label: str,
    format: str,  # noqa: A002
    capacity_bytes: int,
    actor: User,
    idempotency_key: str | None = None,
) -> Operation:
    """Ask for an empty disk. Raises Forbidden, Conflict, and InvalidInput for each of the values."""
    require(actor, Verb.STORAGE_MANAGE, pool)

    def ask() -> Operation:
        checked = labels.checked(label, field="label")
        if pool.volumes.filter(label=checked, gone_at=None).exists():
            raise InvalidInput(
                "The pool has a disk of this name already.", field="label", fix="Choose another."
            )
        volume = reserve(
            pool=pool, label=checked, format=format, capacity_bytes=capacity_bytes, kind=VolumeKind.DISK
        )
        audit.record(
            actor, "volume.create", target=volume, pool=pool.name, capacity_bytes=volume.capacity_bytes
        )
        return operations.submit(
            "volume.create",
            title=f"Create disk {checked}",
            target=volume,
            actor=actor,
            params={"volume": str(volume.uuid)},
            idempotency_key=idempotency_key,
        )

    return operations.once(actor, idempotency_key, ask, kind="volume.create")


@transaction.atomic
def delete_volume(*, volume: Volume, actor: User) -> Operation:
    """Ask for a volume to be deleted for ever. Raises Forbidden, TargetBusy, and Conflict where something uses it."""
    require(actor, Verb.STORAGE_MANAGE, volume)
    refuse_if_used(volume)
    # From here nobody can choose it for a new machine; it is given back should the operation fail.
    if not Volume.objects.filter(pk=volume.pk, ready=True, gone_at=None).update(ready=False):
        raise Conflict("It is being made or deleted just now.", fix="Wait for the end of that operation.")
    audit.record(actor, "volume.delete", target=volume, pool=volume.pool.name, name=volume.name)
    return operations.submit(
        "volume.delete",
        title=f"Delete {volume}",
        target=volume,
        actor=actor,
        params={"volume": str(volume.uuid)},
    )


def refuse_if_used(volume: Volume) -> None:
    """Raise Conflict where, as far as the inventory knows, something needs this volume."""
    uses = usage.users_of(volume.pool.host, [volume.path]).get(volume.path, []) if volume.path else []
    if uses:
        names = ", ".join(use.name for use in uses[:3])
        raise Conflict(f"{volume} is in use by {names}.", fix="Take it out of there first.")
    layer = usage.based_on(volume)
    if layer is not None:
        raise Conflict(f"{layer} is based on {volume}.", fix="Delete that one first.")


@transaction.atomic
def refresh_pool(*, pool: Pool, actor: User) -> Operation:
    """Ask for the pool's folder to be looked at again. Raises Forbidden, TargetBusy."""
    require(actor, Verb.STORAGE_MANAGE, pool)
    audit.record(actor, "pool.refresh", target=pool)
    return operations.submit(
        "pool.refresh",
        title=f"Look at pool {pool} again",
        target=pool,
        actor=actor,
        params={"pool": pool.pk},
    )
