"""What people want of a machine's disks, and how an operation keeps it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any
from uuid import UUID

from hypervisor.limits import IoLimits
from hypervisor.specs import CacheMode, Discard, DiskBus, DiskSpec, ImageFormat
from storage.models import Pool, Volume


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskSettings:
    """How a disk is plugged in."""

    bus: str = DiskBus.VIRTIO.value
    cache: str = CacheMode.DEFAULT.value
    discard: str = Discard.UNMAP.value
    limits: IoLimits = IoLimits()


@dataclass(frozen=True, slots=True, kw_only=True)
class NewDisk:
    """A disk to be made."""

    pool: Pool
    size_gib: int
    format: str = ImageFormat.QCOW2.value
    settings: DiskSettings = DiskSettings()


@dataclass(frozen=True, slots=True, kw_only=True)
class ExistingDisk:
    """A volume that is there. A `shareable` one may be in several machines, whose file systems must know of that."""

    volume: Volume
    shareable: bool = False
    settings: DiskSettings = DiskSettings()


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskPlan:
    """A disk with everything chosen: what an operation keeps in its params, under `disk`."""

    volume: UUID
    target: str
    shareable: bool
    settings: DiskSettings

    def to_params(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "volume": str(self.volume),
            "target": self.target,
            "shareable": self.shareable,
            "settings": asdict(self.settings),
        }

    @classmethod
    def from_params(cls, params: dict[str, Any]) -> DiskPlan:
        """The plan in an operation's params."""
        kept = params["disk"]
        settings = kept["settings"]
        return cls(
            volume=UUID(kept["volume"]),
            target=kept["target"],
            shareable=kept["shareable"],
            settings=DiskSettings(**settings | {"limits": IoLimits(**settings["limits"])}),
        )

    def spec(self, volume: Volume) -> DiskSpec:
        """What to plug in, where it lies in `volume`."""
        return DiskSpec(
            path=volume.path,
            format=ImageFormat(volume.format),
            target=self.target,
            bus=DiskBus(self.settings.bus),
            serial=volume.uuid.hex[:20],
            cache=CacheMode(self.settings.cache),
            discard=Discard(self.settings.discard),
            limits=self.settings.limits,
            shareable=self.shareable,
        )
