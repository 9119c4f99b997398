"""A machine's devices as the tab "Hardware", its live pieces and its forms show them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final

from accounts.models import User
from core.units import MIB
from domains import lifecycle
from domains.disk_choices import DRIVES
from domains.machine import plain
from domains.models import Domain, DomainDisk, Presence
from storage.models import Volume

NAMES: Final = {"cdrom": "CD drive", "floppy": "Floppy drive", "lun": "LUN", "disk": "Disk"}
BUSES: Final = {
    "virtio": "virtio",
    "scsi": "SCSI",
    "sata": "SATA",
    "ide": "IDE",
    "usb": "USB",
    "fdc": "floppy",
}
# A host may tell any target; only such as these can stand in an address.
_TARGET: Final = re.compile(r"[a-z0-9_-]{1,32}")


@dataclass(frozen=True, slots=True)
class Row:
    """A disk or drive with what is known of its volume."""

    disk: DomainDisk
    volume: Volume | None

    @property
    def is_drive(self) -> bool:
        """Whether its medium can be changed."""
        return self.disk.device in DRIVES

    @property
    def named(self) -> bool:
        """Whether it can be named in an address, and so be worked on."""
        return bool(_TARGET.fullmatch(self.disk.target))

    @property
    def is_empty(self) -> bool:
        """Whether there is no medium in the drive."""
        return not self.place

    @property
    def kind(self) -> str:
        """ "virtio disk", "SATA CD drive"."""
        bus = BUSES.get(self.disk.bus, self.disk.bus)
        words = NAMES.get(self.disk.device, self.disk.device)
        return f"{bus} {words if self.is_drive else words.lower()}".strip()

    @property
    def place(self) -> str:
        """Where it lies on the host; blank for an empty drive."""
        disk = self.disk
        return disk.path or "/".join(part for part in (disk.pool_name, disk.volume_name) if part)

    @property
    def settings(self) -> list[str]:
        """What it was told beyond the usual."""
        disk = self.disk
        words = [f"cache {disk.cache}"] if disk.cache not in ("", "default") else []
        words += [f"discard {disk.discard}"] if disk.discard not in ("", "default", "ignore") else []
        words += ["shared"] if disk.shareable else []
        return words + _limits(disk)

    @property
    def pending(self) -> list[str]:
        """What the next start changes, in words."""
        if self.disk.present != Presence.BOTH:
            return [Presence(self.disk.present).label]
        changes = [
            _PENDING[name].format(value or "default") for name, value in self.disk.pending if name in _PENDING
        ]
        return [f"Next start: {', '.join(changes)}"] if changes else []


_PENDING: Final = {
    "bus": "bus {}",
    "cache": "cache {}",
    "discard": "discard {}",
    "path": "another source",
    "limits": "other limits",
}


def _limits(disk: DomainDisk) -> list[str]:
    rates = {"reads": disk.read_bytes_s, "writes": disk.write_bytes_s}
    words = [f"{what} ≤ {rate / MIB:.3g} MiB/s" for what, rate in rates.items() if rate]
    counts = {"reads": disk.read_iops, "writes": disk.write_iops}
    return words + [f"{what} ≤ {count:,}/s" for what, count in counts.items() if count]


def disks(user: User, domain: Domain) -> dict[str, Any]:
    """What `domains/_hardware_disks.html` shows."""
    fixed = not lifecycle.allowed("domain.drive.add", domain)
    return plain(user, domain) | {"rows": rows(domain), "drives_fixed": fixed}


def rows(domain: Domain) -> list[Row]:
    """Every disk and drive, with its volume where it lies in a pool that the panel knows. Two queries."""
    seen = list(domain.disks.all())
    volumes = Volume.objects.present().filter(
        pool__host=domain.host_id, path__in=[disk.path for disk in seen if disk.path]
    )
    known = {volume.path: volume for volume in volumes.select_related("pool")}
    return [Row(disk, known.get(disk.path)) for disk in seen]
