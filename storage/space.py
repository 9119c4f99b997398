"""How much more a pool can take. Ask inside a transaction that holds the pool's row: see `lock`."""

from __future__ import annotations

from collections.abc import Collection

from django.db.models import Sum

from hypervisor.specs import ImageFormat
from storage.models import Pool, Upload, UploadState, Volume


def lock(pool: Pool) -> Pool:
    """The pool as it is now, held until the transaction ends: nobody else promises the same space meanwhile."""
    locked: Pool = Pool.objects.select_related("host").select_for_update(of=("self",)).get(pk=pool.pk)
    return locked


def free_bytes(pool: Pool) -> int:
    """What is free, less what was promised: raw disks that are being made, and files that are being uploaded."""
    return free_bytes_of([pool])[pool.pk]


def free_bytes_of(pools: Collection[Pool]) -> dict[int, int]:
    """The same for each of them, by their keys. Two queries."""
    keys = [pool.pk for pool in pools]
    making = Volume.objects.filter(ours=True, ready=False, gone_at=None, format=ImageFormat.RAW)
    coming = Upload.objects.filter(state=UploadState.RECEIVING)
    promised: dict[int, int] = dict.fromkeys(keys, 0)
    for rows, column in ((making, "capacity_bytes"), (coming, "size_bytes")):
        sums = rows.filter(pool__in=keys).order_by().values_list("pool").annotate(sum=Sum(column))
        for key, total in sums:
            promised[key] += total
    return {pool.pk: max(0, pool.available_bytes - promised[pool.pk]) for pool in pools}
