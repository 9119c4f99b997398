"""Looking on the host who has what a definition would take: the inventory may be a moment behind what virsh did."""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

from core.errors import Conflict
from domains.claims import clean, volume_of
from hosts.connections import Hypervisor
from hosts.models import Host
from hypervisor.facts import DiskFacts
from storage.procedures.volumes import refuse_if_plugged_in


def refuse_if_taken(
    hypervisor: Hypervisor, host: Host, disks: Collection[DiskFacts], *, besides: UUID
) -> None:
    """Raise Conflict where a domain on the host but `besides` has one of these disks, unless it is for several."""
    for disk in disks:
        if disk.shareable:
            continue
        volume = volume_of(host, disk)
        if volume is not None:
            refuse_if_plugged_in(hypervisor, volume, besides=besides)
        elif disk.path:
            _refuse_if_named(hypervisor, clean(disk.path), besides)


def _refuse_if_named(hypervisor: Hypervisor, path: str, besides: UUID) -> None:
    """The same for a file or device that lies in no pool we know."""
    for domain in hypervisor.read_domains_naming(path):
        if domain.uuid != besides and any(disk.path == path for disk in domain.disks):
            raise Conflict(f"{path} is in use by {domain.name}.", fix="Take it out of there first.")
