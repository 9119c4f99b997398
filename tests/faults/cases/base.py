"""What a kind of operation must prove when its worker dies: how to begin one, and what is true at its end.

Each kind has at least one `Case`. `tests.faults.test_every_boundary` runs it once for every boundary of every step,
each time on something of its own that `prepare` made.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar
from uuid import UUID, uuid4

import libvirt
from lxml import etree
from lxml.builder import E

from accounts.models import User
from domains import inventory, versions
from domains.models import Domain, DomainState
from hosts.connections import borrow
from hosts.models import Host
from hypervisor.specs import ImageFormat, VolumeSpec
from operations.models import Operation
from storage import inventory as volumes
from storage.models import Pool, Volume
from tests.lab.host import LabHost

MIB = 1024**2
_STATES = {
    libvirt.VIR_DOMAIN_RUNNING: "running",
    libvirt.VIR_DOMAIN_PAUSED: "paused",
    libvirt.VIR_DOMAIN_SHUTOFF: "shut off",
}


@dataclass
class Ground:
    """A real host in the inventory, empty before, and a person who may do everything."""

    lab: LabHost
    host: Host
    actor: User

    @property
    def pool(self) -> Pool:
        """Its pool `default`."""
        return Pool.objects.get(host=self.host, name="default")

    def volume(self, *, size_mib: int = 1, format: ImageFormat = ImageFormat.QCOW2) -> Volume:
        """A volume that is there and ready, in the pool and in the inventory."""
        spec = VolumeSpec(name=f"{uuid4()}.img", format=format, capacity_bytes=size_mib * MIB)
        with borrow(self.host) as hypervisor:
            volumes.record_volume(self.pool, hypervisor.create_volume(self.pool.uuid, spec))
        return Volume.objects.get(pool=self.pool, name=spec.name)

    def machine(
        self,
        *,
        state: DomainState = DomainState.OFF,
        disk: bool = True,
        change: Callable[[Any], None] | None = None,
    ) -> Domain:
        """A small machine, OFF, PAUSED (begun so, it takes no CPU time) or RUNNING, with a qcow2 disk `vda`.

        `change` may alter the definition's root element before libvirt gets it.
        """
        uuid = uuid4()
        made = self.volume() if disk else None
        root = _definition(uuid, None if made is None else made.path)
        if change is not None:
            change(root)
        with self.lab.connect() as connection:
            domain = connection.defineXMLFlags(etree.tostring(root, encoding="unicode"), 0)
            if state != DomainState.OFF:
                domain.createWithFlags(libvirt.VIR_DOMAIN_START_PAUSED if state == DomainState.PAUSED else 0)
        return self.seen(uuid)

    def seen(self, uuid: UUID) -> Domain:
        """The machine as it is on the host now."""
        with borrow(self.host) as hypervisor:
            row: Domain = inventory.record_domain(self.host, hypervisor.read_domain(uuid))
        return row

    def look(self) -> None:
        """Read all its machines, as the watcher does once a host is back: operations may not have been able to."""
        with borrow(self.host) as hypervisor:
            readings = hypervisor.read_domains_anew({})
            inventory.record_domains(self.host, [one.facts for one in readings if one.facts is not None])
            unkept = versions.unkept(self.host)
            versions.keep(self.host, {uuid: hypervisor.read_definition(uuid) for uuid in unkept})

    def exists(self, uuid: UUID) -> bool:
        """Whether the host has it."""
        return str(uuid) in self.machines()

    def machines(self) -> set[str]:
        """The UUIDs of all that the host has."""
        with self.lab.connect() as connection:
            return {domain.UUIDString() for domain in connection.listAllDomains()}

    def dumpxml(self, uuid: UUID, *, inactive: bool = True) -> Any:
        """Its definition, or the document of its run, as libvirt has it."""
        return etree.fromstring(self.document(uuid, inactive=inactive))

    def document(self, uuid: UUID, *, inactive: bool = True) -> str:
        """The same as text."""
        flags = libvirt.VIR_DOMAIN_XML_INACTIVE if inactive else 0
        with self.lab.connect() as connection:
            return str(connection.lookupByUUIDString(str(uuid)).XMLDesc(flags))

    def state(self, uuid: UUID) -> str:
        """As virsh would say: "running", "paused", "shut off"."""
        with self.lab.connect() as connection:
            return _STATES[connection.lookupByUUIDString(str(uuid)).state()[0]]


class Case(ABC):
    """One kind of operation, with one set of parameters. `name` tells cases of the same kind apart."""

    kind: ClassVar[str]
    name: ClassVar[str] = ""
    # Where there is a way back: whether cancelling it must leave all as it was (else `undone` is never asked).
    can_be_cancelled: ClassVar[bool] = True

    def __str__(self) -> str:
        return f"{self.kind} {self.name}".strip()

    @abstractmethod
    def prepare(self, ground: Ground) -> Any:
        """Make what this one is about, for real; what it returns goes to the other methods."""

    @abstractmethod
    def ask(self, ground: Ground, thing: Any) -> Operation:
        """Begin, by the action that pages use; inside a transaction, so nothing slow."""

    @abstractmethod
    def done(self, ground: Ground, thing: Any) -> None:
        """Assert that host and inventory are as they must be once it succeeded, exactly once."""

    @abstractmethod
    def undone(self, ground: Ground, thing: Any) -> None:
        """Assert that all is as before: it was cancelled, or failed for good, at a point with a way back."""


def _definition(uuid: UUID, disk: str | None) -> Any:
    root = E.controller(type="pci", index="0", model="pcie-root")
    ports = [E.controller(type="pci", index=str(n), model="pcie-root-port") for n in range(1, 7)]
    devices: list[Any] = [root, *ports]
    if disk is not None:
        driver, source = E.driver(name="qemu", type="qcow2"), E.source(file=disk)
        devices.append(E.disk(driver, source, E.target(dev="vda", bus="virtio"), type="file", device="disk"))
    return E.domain(
        E.name(f"case-{uuid}"),
        E.uuid(str(uuid)),
        E.memory("32", unit="MiB"),
        E.vcpu("1"),
        E.os(E.type("hvm", arch="x86_64", machine="q35")),
        E.features(E.acpi()),
        E.devices(*devices, E.graphics(type="vnc", listen="127.0.0.1"), E.video(E.model(type="vga"))),
        type="qemu",
    )
