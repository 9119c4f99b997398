"""How much more a pool can take. Ask inside a transaction that holds the pool's row: see `lock`."""

from __future__ import annotations

from collections.abc import Collection

from django.db.models import Case, F, Sum, When

from core.units import GIB
from hypervisor.specs import ImageFormat
from storage.models import Pool, Upload, UploadState, Volume

# A host copies less than this in a few seconds; more has to wait where several long operations run already.
LONG_COPY_BYTES = GIB


def lock(pool: Pool) -> Pool:
    """The pool as it is now, held until the transaction ends: nobody else promises the same space meanwhile."""
    locked: Pool = Pool.objects.select_related("host").select_for_update(of=("self",)).get(pk=pool.pk)
    return locked


def needed_bytes(volume: Volume) -> int:
    """What a copy of it takes at most: a raw one all of its size, another as much as it takes itself."""
    return volume.capacity_bytes if volume.format == ImageFormat.RAW else volume.allocation_bytes


def free_bytes(pool: Pool) -> int:
    """What is free, less what was promised: disks that are being made or copied, and files that are being uploaded."""
    return free_bytes_of([pool])[pool.pk]


def free_bytes_of(pools: Collection[Pool]) -> dict[int, int]:
    """The same for each of them, by their keys. Two queries.

    A disk that fills as it is used is promised what its row says that it takes: of a copy, as much as its original.
    """
    keys = [pool.pk for pool in pools]
    making = Volume.objects.filter(ours=True, ready=False, gone_at=None)
    coming = Upload.objects.filter(state=UploadState.RECEIVING)
    takes = Case(When(format=ImageFormat.RAW, then=F("capacity_bytes")), default=F("allocation_bytes"))
    promised: dict[int, int] = dict.fromkeys(keys, 0)
    for rows, size in ((making, takes), (coming, F("size_bytes"))):
        sums = rows.filter(pool__in=keys).order_by().values_list("pool").annotate(sum=Sum(size))
        for key, total in sums:
            promised[key] += total
    return {pool.pk: max(0, pool.available_bytes - promised[pool.pk]) for pool in pools}
