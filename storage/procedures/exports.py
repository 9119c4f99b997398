"""From a disk to a file that people take away: a raw copy of all that a guest sees, packed on its way to the panel."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.conf import settings
from django.utils import timezone

from accounts.permissions import Verb
from core.errors import Conflict
from core.units import human_bytes
from hosts.connections import Hypervisor, borrow
from operations.procedures import Step, procedure, settled
from operations.run import Run
from storage import exported, inventory, spool
from storage.compressed import CompressedImage
from storage.models import Export, ExportState, Volume
from storage.procedures.copies import CloneVolume
from storage.procedures.volumes import DeleteVolume, find, writes


class CheckIdle(Step):
    """The disk of a machine that is on changes under the copy."""

    def __init__(self, volume: UUID, *, title: str) -> None:
        self.volume = volume
        self.title = title

    def do(self, run: Run) -> None:
        """Raise Conflict where a machine that is on has it."""
        volume = find(self.volume)
        with borrow(volume.pool.host) as hypervisor:
            _refuse_if_on(hypervisor, volume)


class Fetch(Step):
    """Packs the bytes as they come: holes and zeros take no space."""

    title = "Pack it on the panel"
    weight = 20

    def __init__(self, export: UUID, volume: UUID) -> None:
        self.export = export
        self.volume = volume

    def do(self, run: Run) -> None:
        """From the first byte, also the second time. Raises Conflict where the panel's disk is full."""
        volume, path = find(self.volume), exported.path_of(self.export)
        settings.EXPORTS_DIR.mkdir(mode=0o700, parents=True, exist_ok=True)
        with os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600), "w+b") as file:
            with borrow(volume.pool.host) as hypervisor:
                size = hypervisor.read_volume(volume.pool.uuid, volume.name).capacity_bytes
                image = CompressedImage(file, size_bytes=size)

                def tell(done: int) -> None:
                    if spool.free_bytes() == 0:
                        raise Conflict(
                            "The panel's own disk is full.", fix="Free some space, then try again."
                        )
                    run.progress(done / max(size, 1), f"{human_bytes(done)} of {human_bytes(size)}")

                hypervisor.read_sparse(
                    volume.pool.uuid, volume.name, write=image.write, skip=image.skip, progress=tell
                )
            image.finish()
            os.fsync(file.fileno())
        run.keep(sha256=_sum(run, self.export), size_bytes=path.stat().st_size)

    def undo(self, run: Run) -> None:
        """Delete the file."""
        exported.drop(self.export)


class DropFlat(DeleteVolume):
    """The raw copy was only read; where it can't be deleted, all is taken back."""

    title = "Delete the copy"
    point_of_no_return = False


def _sum(run: Run, export: UUID) -> str:
    digest = hashlib.sha256()
    with exported.path_of(export).open("rb") as file:
        while block := file.read(2**20):
            digest.update(block)
            run.check_cancelled()
    return digest.hexdigest()


def _refuse_if_on(hypervisor: Hypervisor, volume: Volume) -> None:
    for domain in hypervisor.read_domains_naming(volume.path, volume.name):
        if domain.live_id is not None and writes(domain, volume):
            raise Conflict(
                f"{domain.name} is on: its disks change under the copy.", fix="Shut it down, and ask again."
            )


@procedure("volume.export", verb=Verb.STORAGE_MANAGE)
def export(params: dict[str, Any]) -> Sequence[Step]:
    """A disk of another format than raw, or one that is based on others, is flattened by the host first."""
    volume, made = UUID(params["volume"]), UUID(params["export"])
    before = CheckIdle(volume, title="Look who uses it")
    after = CheckIdle(volume, title="Look who used it meanwhile")
    if params["flat"] is None:
        return [before, Fetch(made, volume), after]
    flat = UUID(params["flat"])
    copy = CloneVolume(volume, flat, format=find(volume).format, title="Make a whole copy")
    return [before, copy, after, Fetch(made, flat), DropFlat(flat)]


@settled("volume.export")
def end(run: Run, succeeded: bool) -> None:  # noqa: FBT001 (the hook's signature)
    """It can be taken for a day; one that did not come to be is forgotten."""
    rows = Export.objects.filter(uuid=run.params["export"])
    if succeeded:
        rows.update(
            state=ExportState.READY,
            sha256=run.params["sha256"],
            size_bytes=run.params["size_bytes"],
            expires_at=timezone.now() + exported.KEPT,
        )
    else:
        rows.delete()
        if run.params["flat"] is not None:
            inventory.drop_reservation(UUID(run.params["flat"]))
    inventory.tell(find(UUID(run.params["volume"])).pool)
