"""Machines on the real host for tests of cards and devices: defined, and started where QEMU must run."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from uuid import uuid4

from lxml import etree
from lxml.builder import E

from domains import inventory
from domains.models import Domain
from hosts.connections import borrow
from hosts.models import Host
from operations.models import Operation
from tests.lab.guest import COMMAND_LINE, tiny_guest
from tests.lab.host import LabHost
from tests.stage import carry_out

PORTS = 10


class Machine:
    """One machine with a card in network `default`; where it boots, its serial line goes to `log`."""

    def __init__(self, lab: LabHost, host: Host, name: str, *, mac: str, guest: bool = False) -> None:
        self.lab, self.host, self.mac = lab, host, mac
        self.uuid = uuid4()
        self.log = Path(lab.root / f"{name}.log")
        file = lab.root / f"{name}.xml"
        file.write_bytes(etree.tostring(self._definition(name, guest=guest)))
        lab.virsh("define", str(file))

    def start(self, *options: str) -> Domain:
        """Let it run."""
        self.lab.virsh("start", str(self.uuid), *options)
        return self.seen()

    def seen(self) -> Domain:
        """Its row, as it is on the host now."""
        with borrow(self.host) as hypervisor:
            row: Domain = inventory.record_domain(self.host, hypervisor.read_domain(self.uuid))
        found: Domain = Domain.objects.select_related("host", "team").get(pk=row.pk)
        return found

    def document(self, *, live: bool = False) -> Any:
        """As libvirt has it."""
        options = [] if live else ["--inactive"]
        return etree.fromstring(self.lab.virsh("dumpxml", str(self.uuid), *options).encode())

    def gone(self) -> None:
        """Off the host."""
        if self.lab.virsh("domstate", str(self.uuid)).strip() != "shut off":
            self.lab.virsh("destroy", str(self.uuid))
        self.lab.virsh("undefine", str(self.uuid))

    def _definition(self, name: str, *, guest: bool) -> Any:
        ports = [E.controller(type="pci", model="pcie-root-port") for _ in range(PORTS)]
        os = E.os(E.type("hvm", machine="q35"))
        serial = []
        if guest:
            files = tiny_guest()
            command = f"{COMMAND_LINE} dhcp=yes"
            os.extend([E.kernel(str(files.kernel)), E.initrd(str(files.initrd)), E.cmdline(command)])
            serial = [E.serial(E.source(path=str(self.log)), type="file")]
        return E.domain(
            E.name(name),
            E.uuid(str(self.uuid)),
            E.memory("160" if guest else "32", unit="MiB"),
            os,
            E.features(E.acpi()),
            E.devices(
                E.controller(type="pci", model="pcie-root"),
                *ports,
                E.controller(type="pci", model="pcie-to-pci-bridge"),
                E.controller(type="virtio-serial"),
                E.interface(
                    E.mac(address=self.mac),
                    E.source(network="default"),
                    E.model(type="virtio"),
                    type="network",
                ),
                *serial,
                E.graphics(type="vnc"),
                E.video(E.model(type="vga")),
            ),
            type="qemu",
        )


def done(operation: Operation) -> Operation:
    """Carried out, to its end: what waits for a guest goes on until then."""
    for _ in range(20):
        ended = carry_out(operation.pk)
        if not ended.active:
            return ended
        Operation.objects.filter(pk=operation.pk).update(not_before=None)
    raise AssertionError(f"still {ended.state}: {ended.message}")


def macs(document: Any) -> list[str]:
    """Of all cards, in the document's order."""
    return [str(mac.get("address")) for mac in document.iterfind("devices/interface/mac")]
