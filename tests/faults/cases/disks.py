"""Disks, drives and media, of machines that are off: what a host does then is over before the answer comes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lxml.builder import E

from core.units import GIB
from domains.actions import disks, media
from domains.disk_wishes import DiskSettings, ExistingDisk, NewDisk
from domains.models import Domain, DomainState
from hypervisor.limits import IoLimits
from hypervisor.specs import ImageFormat
from operations.models import Operation
from storage.models import Volume, VolumeKind
from tests.faults.cases.base import Case, Ground


@dataclass(frozen=True)
class Thing:
    """A machine and the volume that it is about."""

    domain: Domain
    volume: Volume


def _with_drive(root: Any) -> None:
    drive = E.disk(E.target(dev="sda", bus="sata"), E.readonly(), type="file", device="cdrom")
    root.find("devices").append(drive)


def _disks(ground: Ground, domain: Domain) -> dict[str, Any]:
    """By target, those of the definition; the inventory must know the same ones."""
    root = ground.dumpxml(domain.uuid)
    found = {disk.find("target").get("dev"): disk for disk in root.iterfind("devices/disk")}
    assert set(found) == set(domain.disks.values_list("target", flat=True))
    return found


def _path(disk: Any) -> str | None:
    path: str | None = None if disk.find("source") is None else disk.find("source").get("file")
    return path


class Disk(Case):
    """About `vda` of a machine that is off."""

    def prepare(self, ground: Ground) -> Thing:
        domain = ground.machine(state=DomainState.OFF, change=_with_drive)
        return Thing(domain, Volume.objects.get(path=domain.disks.get(target="vda").path))

    def undone(self, ground: Ground, thing: Thing) -> None:
        found = _disks(ground, thing.domain)
        assert set(found) == {"vda", "sda"}
        assert _path(found["vda"]) == thing.volume.path
        assert found["vda"].find("iotune") is None
        assert _path(found["sda"]) is None
        assert (ground.lab.pool_path / thing.volume.name).exists()


class Add(Disk):
    kind = "domain.disk.add"

    def ask(self, ground: Ground, thing: Thing) -> Operation:
        return disks.add(domain=thing.domain, new=NewDisk(pool=ground.pool, size_gib=1), actor=ground.actor)

    def done(self, ground: Ground, thing: Thing) -> None:
        found = _disks(ground, thing.domain)
        assert set(found) == {"vda", "sda", "vdb"}
        volume = Volume.objects.get(path=_path(found["vdb"]))
        assert (volume.ready, volume.capacity_bytes) == (True, GIB)

    def undone(self, ground: Ground, thing: Thing) -> None:
        super().undone(ground, thing)
        label = f"{thing.domain.name} disk vdb"
        volume = Volume.objects.get(label=label)
        assert volume.gone_at is not None
        assert not (ground.lab.pool_path / volume.name).exists()


class Attach(Disk):
    kind = "domain.disk.attach"

    def prepare(self, ground: Ground) -> Thing:
        domain = ground.machine(state=DomainState.OFF, disk=False)
        return Thing(domain, ground.volume(format=ImageFormat.RAW))

    def ask(self, ground: Ground, thing: Thing) -> Operation:
        wanted = ExistingDisk(volume=thing.volume, settings=DiskSettings(bus="scsi"))
        return disks.attach(domain=thing.domain, wanted=wanted, actor=ground.actor)

    def done(self, ground: Ground, thing: Thing) -> None:
        [(target, disk)] = _disks(ground, thing.domain).items()
        assert (target, _path(disk)) == ("sda", thing.volume.path)

    def undone(self, ground: Ground, thing: Thing) -> None:
        assert _disks(ground, thing.domain) == {}
        assert (ground.lab.pool_path / thing.volume.name).exists()


class Detach(Disk):
    """With its volume."""

    kind = "domain.disk.detach"

    def ask(self, ground: Ground, thing: Thing) -> Operation:
        return disks.detach(domain=thing.domain, target="vda", actor=ground.actor, delete_volume=True)

    def done(self, ground: Ground, thing: Thing) -> None:
        assert set(_disks(ground, thing.domain)) == {"sda"}
        assert not (ground.lab.pool_path / thing.volume.name).exists()
        assert not Volume.objects.present().filter(pk=thing.volume.pk).exists()


class Change(Disk):
    """Its bus, and so its name."""

    kind = "domain.disk.change"

    def ask(self, ground: Ground, thing: Thing) -> Operation:
        settings = DiskSettings(bus="scsi", cache="writeback", limits=IoLimits(read_iops=100))
        return disks.change(domain=thing.domain, target="vda", settings=settings, actor=ground.actor)

    def done(self, ground: Ground, thing: Thing) -> None:
        found = _disks(ground, thing.domain)
        assert set(found) == {"sda", "sdb"}
        assert _path(found["sdb"]) == thing.volume.path
        assert found["sdb"].find("driver").get("cache") == "writeback"
        assert found["sdb"].findtext("iotune/read_iops_sec") == "100"


class Resize(Disk):
    kind = "domain.disk.resize"

    def ask(self, ground: Ground, thing: Thing) -> Operation:
        return disks.resize(domain=thing.domain, target="vda", size_gib=1, actor=ground.actor)

    def done(self, ground: Ground, thing: Thing) -> None:
        assert f"Capacity:       {GIB}" in ground.lab.virsh("domblkinfo", str(thing.domain.uuid), "vda")
        assert Volume.objects.get(pk=thing.volume.pk).capacity_bytes == GIB

    def undone(self, ground: Ground, thing: Thing) -> None:
        super().undone(ground, thing)
        assert f"Capacity:       {GIB}" not in ground.lab.virsh("domblkinfo", str(thing.domain.uuid), "vda")


class ChangeMedium(Case):
    kind = "domain.media.change"

    def prepare(self, ground: Ground) -> Thing:
        image = ground.volume(format=ImageFormat.RAW)
        Volume.objects.filter(pk=image.pk).update(kind=VolumeKind.ISO)
        return Thing(ground.machine(state=DomainState.OFF, change=_with_drive), image)

    def ask(self, ground: Ground, thing: Thing) -> Operation:
        return media.change(domain=thing.domain, target="sda", image=thing.volume, actor=ground.actor)

    def done(self, ground: Ground, thing: Thing) -> None:
        assert _path(_disks(ground, thing.domain)["sda"]) == thing.volume.path
        assert thing.domain.disks.get(target="sda").path == thing.volume.path

    def undone(self, ground: Ground, thing: Thing) -> None:
        assert _path(_disks(ground, thing.domain)["sda"]) is None


class AddDrive(Disk):
    kind = "domain.drive.add"

    def ask(self, ground: Ground, thing: Thing) -> Operation:
        return media.add_drive(domain=thing.domain, actor=ground.actor)

    def done(self, ground: Ground, thing: Thing) -> None:
        found = _disks(ground, thing.domain)
        assert set(found) == {"vda", "sda", "sdb"}
        assert found["sdb"].get("device") == "cdrom"


class DetachDrive(Disk):
    kind = "domain.drive.detach"

    def ask(self, ground: Ground, thing: Thing) -> Operation:
        return media.detach_drive(domain=thing.domain, target="sda", actor=ground.actor)

    def done(self, ground: Ground, thing: Thing) -> None:
        assert set(_disks(ground, thing.domain)) == {"vda"}
