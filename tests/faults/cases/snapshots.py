"""Taking snapshots, going back, deleting them: inside the disks, and in files of their own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar
from uuid import UUID, uuid4

from domains.actions import snapshots as actions
from domains.models import Domain, Snapshot
from domains.snapshots import inventory
from hosts.connections import borrow
from hypervisor.snapshots import Layer, SnapshotSpec
from hypervisor.specs import BackingSpec, ImageFormat, VolumeSpec
from operations.models import Operation
from storage import inventory as volumes
from storage.models import Volume
from tests.faults.cases.base import MIB, Case, Ground


@dataclass
class Shot:
    """A machine, its snapshot if it has one, and the files of its disk: that of the snapshot and that of now."""

    domain: Domain
    snapshot: Snapshot | None
    files: list[str]


class Snapshots(Case):
    """Of a machine that is off. With `beside` its firmware is UEFI, which keeps its moments in files of their own."""

    beside: ClassVar[bool] = False
    taken_before: ClassVar[bool] = True

    def prepare(self, ground: Ground) -> Shot:
        domain = ground.machine(change=_with_uefi if self.beside else None)
        path = domain.disks.get(target="vda").path
        if not self.taken_before:
            return Shot(domain, None, [path])
        files = [path, *self._take(ground, domain.uuid, path)]
        domain = ground.seen(domain.uuid)
        with borrow(ground.host) as hypervisor:
            inventory.record(ground.host, domain.uuid, hypervisor.read_snapshots(domain.uuid))
        snapshot = Snapshot.objects.select_related("domain__host").get(domain=domain)
        return Shot(domain, snapshot, files)

    def _take(self, ground: Ground, uuid: UUID, path: str) -> list[str]:
        with borrow(ground.host) as hypervisor:
            if not self.beside:
                hypervisor.take_snapshot(uuid, SnapshotSpec(name="one", description="", inside=("vda",)))
                return []
            spec = VolumeSpec(
                name=f"{uuid4()}.qcow2",
                format=ImageFormat.QCOW2,
                capacity_bytes=MIB,
                backing=BackingSpec(path=path, format=ImageFormat.QCOW2),
            )
            made = hypervisor.create_volume(ground.pool.uuid, spec)
            volumes.record_volume(ground.pool, made)
            layer = Layer(target="vda", path=made.path)
            hypervisor.take_snapshot(uuid, SnapshotSpec(name="one", description="", layers=(layer,)))
        return [made.path]

    def files(self, ground: Ground, thing: Shot) -> list[str]:
        """What its disk is made of now, the lowest first."""
        disk = ground.dumpxml(thing.domain.uuid).find("devices/disk[@device='disk']/source").get("file")
        found: list[str] = []
        with borrow(ground.host) as hypervisor:
            hypervisor.refresh_pool(ground.pool.uuid)
            backing = {one.path: one.backing_path for one in hypervisor.list_volumes(ground.pool.uuid)}
        while disk:
            assert disk in backing, f"{disk} is not there"
            found.insert(0, disk)
            disk = backing[disk]
        return found

    def names(self, ground: Ground, thing: Shot) -> list[str]:
        """Its snapshots, as virsh says."""
        return ground.lab.virsh("snapshot-list", str(thing.domain.uuid), "--name").split()

    def undone(self, ground: Ground, thing: Shot) -> None:
        assert self.names(ground, thing) == (["one"] if self.taken_before else [])
        assert self.files(ground, thing) == thing.files
        assert ground.state(thing.domain.uuid) == "shut off"


class Take(Snapshots):
    kind = "domain.snapshot.create"
    name = "inside"
    taken_before = False

    def ask(self, ground: Ground, thing: Shot) -> Operation:
        return actions.take(domain=thing.domain, label="before", actor=ground.actor)

    def done(self, ground: Ground, thing: Shot) -> None:
        snapshot = Snapshot.objects.present().get(domain=thing.domain)
        assert self.names(ground, thing) == [snapshot.name]
        assert snapshot.label == "before"
        self.check(ground, thing)

    def check(self, ground: Ground, thing: Shot) -> None:
        """What of its files is to be expected."""
        assert self.files(ground, thing) == thing.files


class TakeBeside(Take):
    name = "beside"
    beside = True

    def check(self, ground: Ground, thing: Shot) -> None:
        now = self.files(ground, thing)
        assert now[:-1] == thing.files
        assert Volume.objects.present().get(path=now[-1]).ready


class GoBack(Snapshots):
    kind = "domain.snapshot.revert"
    name = "inside"

    def ask(self, ground: Ground, thing: Shot) -> Operation:
        assert thing.snapshot is not None
        return actions.revert(snapshot=thing.snapshot, actor=ground.actor)

    def done(self, ground: Ground, thing: Shot) -> None:
        assert self.names(ground, thing) == ["one"]
        assert ground.state(thing.domain.uuid) == "shut off"
        self.check(ground, thing)

    def check(self, ground: Ground, thing: Shot) -> None:
        """What of its files is to be expected."""
        assert self.files(ground, thing) == thing.files


class GoBackBeside(GoBack):
    name = "beside"
    beside = True

    def check(self, ground: Ground, thing: Shot) -> None:
        now = self.files(ground, thing)
        assert now[0] == thing.files[0]
        assert now[1:] != thing.files[1:]
        assert not Volume.objects.present().filter(path=thing.files[1]).exists()


class Delete(Snapshots):
    kind = "domain.snapshot.delete"
    name = "inside"

    def ask(self, ground: Ground, thing: Shot) -> Operation:
        assert thing.snapshot is not None
        return actions.delete(snapshot=thing.snapshot, children=False, actor=ground.actor)

    def done(self, ground: Ground, thing: Shot) -> None:
        assert self.names(ground, thing) == []
        assert self.files(ground, thing) == thing.files[:1]
        assert ground.state(thing.domain.uuid) == "shut off"
        assert not Volume.objects.present().filter(path__in=thing.files[1:]).exists()


class DeleteBeside(Delete):
    name = "beside"
    beside = True


def _with_uefi(root: Any) -> None:
    root.find("os").set("firmware", "efi")
