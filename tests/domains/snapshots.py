"""Machines with disks that can be told apart, for tests of snapshots: what was written when."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID, uuid4

from lxml import etree
from lxml.builder import E

from domains import inventory
from domains.models import Domain, Snapshot
from domains.snapshots import inventory as snapshots
from hosts.connections import Hypervisor, borrow
from hosts.models import Host
from hypervisor.facts import VolumeFacts
from hypervisor.specs import ImageFormat, VolumeSpec
from storage import inventory as volumes
from storage.models import Pool, Volume
from tests.lab.host import LabHost

MIB = 1024**2


class Bench:
    """One private host, and machines on it that this class made and takes away again."""

    def __init__(self, lab: LabHost, host: Host) -> None:
        self.lab, self.host = lab, host
        self.pool = Pool.objects.get(host=host, name="default")

    def machine(
        self,
        name: str = "shot",
        *,
        uefi: bool = False,
        formats: tuple[str, ...] = ("qcow2",),
        on: bool = False,
    ) -> Domain:
        """Off, or running its firmware, which finds nothing to start: enough for memory and disks."""
        disks = [self._disk(index, ImageFormat(kind)) for index, kind in enumerate(formats)]
        uuid = uuid4()
        system = E.os({"firmware": "efi"} if uefi else {}, E.type("hvm", machine="q35"))
        root = E.domain(
            E.name(name),
            E.uuid(str(uuid)),
            E.memory("64", unit="MiB"),
            system,
            E.features(E.acpi()),
            E.devices(*disks),
            type="qemu",
        )
        file = self.lab.root / f"{uuid}.xml"
        file.write_bytes(etree.tostring(root))
        self.lab.virsh("define", str(file))
        if on:
            self.lab.virsh("start", str(uuid))
        return self.seen(uuid)

    def _disk(self, index: int, kind: ImageFormat) -> etree._Element:
        spec = VolumeSpec(name=f"{uuid4()}.{kind}", format=kind, capacity_bytes=8 * MIB)
        with borrow(self.host) as hypervisor:
            volumes.record_volume(self.pool, hypervisor.create_volume(self.pool.uuid, spec))
        path = Volume.objects.get(pool=self.pool, name=spec.name).path
        return E.disk(
            E.driver(name="qemu", type=kind.value),
            E.source(file=path),
            E.backingStore(),
            E.target(dev=f"vd{'ab'[index]}", bus="virtio"),
            type="file",
            device="disk",
        )

    def seen(self, uuid: UUID) -> Domain:
        """As the watcher would have it now."""
        with borrow(self.host) as hypervisor:
            domain = inventory.record_domain(self.host, hypervisor.read_domain(uuid))
            snapshots.record(self.host, uuid, hypervisor.read_snapshots(uuid))
            volumes.record_volumes(self.pool, self._refreshed(hypervisor))
        found: Domain = Domain.objects.select_related("host").get(pk=domain.pk)
        return found

    def _refreshed(self, hypervisor: Hypervisor) -> list[VolumeFacts]:
        hypervisor.refresh_pool(self.pool.uuid)
        return hypervisor.list_volumes(self.pool.uuid)

    def write(self, domain: Domain, pattern: int, *, target: str = "vda") -> None:
        """Fill the disk's first MiB, as a guest would; the machine is off."""
        self._io(domain, target, f"write -P {pattern} 0 1M")

    def reads(self, domain: Domain, pattern: int, *, target: str = "vda") -> bool:
        """Whether the disk's first MiB holds it; the machine is off."""
        return "Pattern verification failed" not in self._io(domain, target, f"read -P {pattern} 0 1M")

    def _io(self, domain: Domain, target: str, command: str) -> str:
        disk = self.seen(domain.uuid).disks.get(target=target)
        return self.lab.exec("qemu-io", "-f", disk.format, "-c", command, disk.path)

    def files(self) -> set[str]:
        """What is in the pool's folder."""
        return {path.name for path in self.lab.pool_path.iterdir()}

    def shot(self, domain: Domain, label: str) -> Snapshot:
        """The one of that label."""
        rows = Snapshot.objects.present().select_related("domain__host")
        found: Snapshot = rows.get(domain=domain, label=label)
        return found

    @contextmanager
    def small_pool(self) -> Iterator[Pool]:
        """Room for disks that nobody wrote to, and for no machine's memory; the inventory believes there is plenty."""
        folder, default = self.lab.root / "small", self.pool
        folder.mkdir()
        self.lab.exec("mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(folder))
        self.lab.virsh("pool-define-as", "small", "dir", "--target", str(folder))
        self.lab.virsh("pool-start", "small")
        with borrow(self.host) as hypervisor:
            volumes.record_pools(self.host, hypervisor.list_pools())
        self.pool = Pool.objects.get(host=self.host, name="small")
        yield self.pool
        self.pool = default
        self.lab.virsh("destroy", "shot")
        self.lab.virsh("pool-destroy", "small")
        self.lab.virsh("pool-undefine", "small")
        self.lab.exec("umount", str(folder))
        folder.rmdir()
