"""Machines that people make with virsh, beside the panel: small, without disks, with a name of any kind."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from lxml import etree
from lxml.builder import E

from tests.lab.daemon import LibvirtHost
from tests.lab.guest import COMMAND_LINE, Guest
from tests.lab.namespace import LabError


@dataclass(frozen=True, slots=True)
class Machine:
    """One of them; `virsh("start")` is `virsh start UUID`."""

    host: LibvirtHost
    uuid: UUID

    def virsh(self, command: str, *arguments: str) -> str:
        """Run virsh with this machine's UUID as the first argument of `command`."""
        return self.host.virsh(command, str(self.uuid), *arguments)


@contextlib.contextmanager
def machine(
    host: LibvirtHost,
    name: str,
    *,
    uuid: UUID | None = None,
    guest: Guest | None = None,
    serial: Path | None = None,
) -> Iterator[Machine]:
    """Define one; it is destroyed and forgotten at the end, however far it got. `serial` keeps what its guest says."""
    made = Machine(host, uuid or uuid4())
    file = host.root / f"{made.uuid}.xml"
    file.write_bytes(etree.tostring(_definition(made.uuid, name, guest, serial)))
    host.virsh("define", str(file))
    try:
        yield made
    finally:
        # One that is off can't be destroyed, and is undefined all the same.
        with contextlib.suppress(LabError):
            host.virsh(f"destroy {made.uuid}; undefine {made.uuid}")


def _definition(uuid: UUID, name: str, guest: Guest | None, serial: Path | None) -> Any:
    boot = [E.type("hvm", arch="x86_64", machine="q35")]
    if guest is not None:
        boot += [E.kernel(str(guest.kernel)), E.initrd(str(guest.initrd)), E.cmdline(COMMAND_LINE)]
    said = [] if serial is None else [E.serial(E.source(path=str(serial)), type="file")]
    return E.domain(
        E.name(name),
        E.uuid(str(uuid)),
        E.memory("128" if guest else "32", unit="MiB"),
        E.vcpu("1"),
        E.os(*boot),
        E.devices(*said, E.graphics(type="vnc", listen="127.0.0.1"), E.video(E.model(type="vga"))),
        type="qemu",
    )
