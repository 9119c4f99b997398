"""How much more a pool can take. Ask inside a transaction that holds the pool's row: see `lock`."""

from __future__ import annotations

from django.db.models import Sum

from hypervisor.specs import ImageFormat
from storage.models import Pool, UploadState


def lock(pool: Pool) -> Pool:
    """The pool as it is now, held until the transaction ends: nobody else promises the same space meanwhile."""
    locked: Pool = Pool.objects.select_related("host").select_for_update(of=("self",)).get(pk=pool.pk)
    return locked


def free_bytes(pool: Pool) -> int:
    """What is free, less what was promised: raw disks that are being made, and files that are being uploaded."""
    making = pool.volumes.filter(ours=True, ready=False, gone_at=None, format=ImageFormat.RAW)
    coming = pool.uploads.filter(state=UploadState.RECEIVING)
    promised = making.aggregate(sum=Sum("capacity_bytes"))["sum"] or 0
    promised += coming.aggregate(sum=Sum("size_bytes"))["sum"] or 0
    return max(0, pool.available_bytes - promised)
