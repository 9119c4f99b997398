"""Looking at a pool again: files that came or went beside libvirt are told by no event."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from accounts.permissions import Verb
from core.errors import Conflict
from hosts.connections import borrow
from operations.procedures import Step, procedure
from operations.run import Run
from storage import inventory
from storage.models import Pool


class RefreshPool(Step):
    """Makes libvirt read the folder, and reads what it found."""

    title = "Look at the pool"

    def __init__(self, pool: int) -> None:
        self.pool = pool

    def do(self, run: Run) -> None:
        """Refresh and record. Twice is harmless."""
        pool = Pool.objects.present().select_related("host").filter(pk=self.pool).first()
        if pool is None:
            raise Conflict("The pool is gone.")
        with borrow(pool.host) as hypervisor:
            inventory.record_pool(pool.host, hypervisor.refresh_pool(pool.uuid))
            volumes = hypervisor.list_volumes(pool.uuid)
        inventory.record_volumes(pool, volumes)
        run.log(f"{len(volumes)} volumes.")


@procedure("pool.refresh", verb=Verb.STORAGE_MANAGE)
def refresh(params: dict[str, Any]) -> Sequence[Step]:
    """One pool."""
    return [RefreshPool(params["pool"])]
