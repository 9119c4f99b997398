"""How a snapshot would be kept: inside the disks' own files, or by going on in others (`docs/decisions/0081-…`)."""

from __future__ import annotations

from dataclasses import dataclass, field

from core.errors import Conflict
from domains.models import Domain, DomainDisk
from domains.preflight import UEFI
from hypervisor.specs import ImageFormat
from storage.models import Volume

INSIDE = "It is kept inside the disks' own files."
BESIDE = "The machine goes on in new files beside its disks"


@dataclass(frozen=True, slots=True)
class Under:
    """A disk that is to be kept as it is, with its volume."""

    disk: DomainDisk
    volume: Volume


@dataclass(frozen=True, slots=True)
class Way:
    """`words` say how it is done and why so, or why it can't be, for people.

    With `external` the machine goes on in new files over those of `under`.
    """

    possible: bool
    words: str
    external: bool = False
    under: list[Under] = field(default_factory=list)
    inside: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)


def way(domain: Domain, *, memory: bool) -> Way:
    """How a snapshot of the machine, as last seen, would be kept. A fixed number of queries."""
    every = list(domain.disks.all())
    disks = [disk for disk in every if disk.device == "disk" and not disk.readonly]
    left_out = [disk.target for disk in every if disk not in disks]
    if not disks:
        return Way(possible=False, words="It has no disk that could be kept.")
    kept = set(domain.snapshots.present().values_list("external", flat=True))
    why = _why_beside(domain, disks, kept, memory=memory)
    if not why:
        inside = [disk.target for disk in disks]
        return Way(possible=True, words=INSIDE, inside=inside, left_out=left_out)
    if False in kept:
        return Way(
            possible=False,
            words=f"It would have to go on in new files, because {why}; but it has snapshots inside its disks,"
            " which could not be reached then. Delete those first.",
        )
    try:
        under = [_under(domain, disk) for disk in disks]
    except Conflict as conflict:
        return Way(
            possible=False, words=f"It can't be kept inside its disks, because {why}. {conflict.message}"
        )
    return Way(
        possible=True, words=f"{BESIDE}, because {why}.", external=True, under=under, left_out=left_out
    )


def _why_beside(domain: Domain, disks: list[DomainDisk], kept: set[bool], *, memory: bool) -> str:
    if True in kept:
        return "its earlier snapshots are kept so"
    if domain.firmware in UEFI:
        return "libvirt can't keep machines with UEFI inside their disks"
    other = next((disk for disk in disks if disk.format != ImageFormat.QCOW2), None)
    if other is not None:
        return f"disk {other.target} is {other.format or 'of an unknown format'}, and only qcow2 can hold snapshots"
    if domain.on and not memory:
        return "a machine that runs can't be kept inside its disks without its memory"
    return ""


def _under(domain: Domain, disk: DomainDisk) -> Under:
    volume = (
        Volume.objects.present()
        .filter(pool__host=domain.host, path=disk.path)
        .exclude(path="")
        .select_related("pool__host")
        .first()
    )
    if volume is None:
        raise Conflict(f"Disk {disk.target} lies outside of the pools that the panel knows.")
    if disk.format not in set(ImageFormat):
        raise Conflict(f"Disk {disk.target} is {disk.format or 'of an unknown format'}.")
    if not volume.pool.usable:
        raise Conflict(f"Pool {volume.pool} is not active.")
    return Under(disk, volume)
