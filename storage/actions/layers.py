"""Reserving the files in which machines go on after a snapshot, and those that keep their memory."""

from __future__ import annotations

import uuid

from django.db import transaction

from core.errors import Conflict
from core.units import human_bytes
from hypervisor.specs import ImageFormat
from storage import space
from storage.models import Pool, Volume, VolumeKind


@transaction.atomic
def reserve_layer(*, under: Volume, label: str) -> Volume:
    """A row for an empty qcow2 file that an operation of the caller's will base on `under`, beside it.

    The caller has checked the permission. Raises Conflict where the pool can't be used now.
    """
    return _reserve(
        under.pool,
        label=label,
        kind=VolumeKind.DISK,
        format=ImageFormat.QCOW2,
        capacity_bytes=under.capacity_bytes,
        backing_path=under.path,
    )


@transaction.atomic
def reserve_memory(*, pool: Pool, label: str, size_bytes: int) -> Volume:
    """A row for a file that will take up to `size_bytes` of a machine's memory; they are promised until it is ready.

    The caller has checked the permission. Raises Conflict where the pool can't be used now, or has not that much free.
    """
    pool = space.lock(pool)
    free = space.free_bytes(pool)
    if size_bytes > free:
        raise Conflict(
            f"Pool {pool.name} has {human_bytes(free)} free, and its memory may take {human_bytes(size_bytes)}.",
            fix="Free some space, or leave the memory out.",
        )
    return _reserve(
        pool, label=label, kind=VolumeKind.OTHER, format=ImageFormat.RAW, capacity_bytes=size_bytes
    )


def _reserve(
    pool: Pool,
    *,
    label: str,
    kind: VolumeKind,
    format: ImageFormat,  # noqa: A002
    capacity_bytes: int,
    backing_path: str = "",
) -> Volume:
    if not pool.usable or pool.gone_at is not None:
        raise Conflict(f"Pool {pool.name} is not active.", fix="Start it first.")
    key = uuid.uuid4()
    suffix = "qcow2" if kind == VolumeKind.DISK else "memory"
    return Volume.objects.create(
        uuid=key,
        pool=pool,
        label=label,
        kind=kind,
        ours=True,
        ready=False,
        name=f"{key}.{suffix}",
        format=format,
        capacity_bytes=capacity_bytes,
        backing_path=backing_path,
    )
