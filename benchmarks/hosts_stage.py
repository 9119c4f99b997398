"""The hosts of `benchmarks.hosts`: a real one with its images, and three on a network, all known to a panel."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from uuid import UUID, uuid4

from lxml import etree
from lxml.builder import E

from tests.lab.host import LabHost
from tests.lab.lab import Lab
from tests.lab.mirrors import Mirrors
from tests.lab.panel import ROOT, Panel
from tests.lab.remote import RemoteHost

# A disk whose first sector stops the processor for good (cli, hlt): it boots, is on, and costs nothing.
_BOOT_SECTOR: Final = b"\xfa\xf4\xeb\xfd".ljust(510, b"\0") + b"\x55\xaa"


@dataclass(frozen=True, kw_only=True)
class Stage:
    """Where everything is. `uuids` are the panel's, by the names of its hosts."""

    panel: Panel
    mirrors: Mirrors
    healthy: RemoteHost
    frozen: RemoteHost
    cut: RemoteHost
    uuids: dict[str, str]


@contextmanager
def stage(folder: Path, *, images: int, machines: int) -> Iterator[Stage]:
    """A panel with `images` hosts of `machines` running machines each, two hosts over SSH and one over TCP."""
    with ExitStack() as stack:
        real = stack.enter_context(LabHost(folder / "real"))
        uuids = [_start_machine(real, f"web-{number}") for number in range(machines)]
        mirrors = Mirrors(folder / "images", socket=real.socket, uuids=[real.host_uuid, *uuids], count=images)
        stack.enter_context(mirrors)
        lab = stack.enter_context(Lab(folder / "lab"))
        healthy, frozen, cut = lab.up(3)
        panel = stack.enter_context(Panel(folder / "panel", libvirt_socket=mirrors.sockets[0]))
        rows: list[dict[str, Any]] = [_over_ssh(healthy), _over_ssh(frozen), _over_tcp(cut)]
        rows += [
            {"name": f"image-{number:03}", "transport": "local", "socket": str(socket)}
            for number, socket in enumerate(mirrors.sockets)
            if number  # the first is the panel's own
        ]
        known = ask(panel, "benchmarks.hosts_register", given=json.dumps(rows))
        for host in (healthy, frozen):
            host.authorize(known[host.name]["public_key"])
        yield Stage(
            panel=panel, mirrors=mirrors, healthy=healthy, frozen=frozen, cut=cut,
            uuids={name: row["uuid"] for name, row in known.items()},
        )  # fmt: skip


def ask(panel: Panel, module: str, *arguments: str, given: str = "") -> Any:
    """Run a part of the benchmark as one more process of that panel; what the last line of its JSON says."""
    done = subprocess.run(
        [sys.executable, "-m", module, *arguments],
        cwd=ROOT, env={**panel.environment, "DJANGO_SETTINGS_MODULE": "kvmpanel.settings"},
        input=given, stdout=subprocess.PIPE, text=True, check=True,
    )  # fmt: skip
    return json.loads(done.stdout.splitlines()[-1])


def _over_ssh(host: RemoteHost) -> dict[str, Any]:
    row = {"name": host.name, "transport": "ssh", "address": host.ip, "username": "root"}
    return {**row, "host_key": host.host_key}


def _over_tcp(host: RemoteHost) -> dict[str, Any]:
    return {"name": host.name, "transport": "tcp", "address": host.ip}


def _start_machine(host: LabHost, name: str) -> UUID:
    uuid, disk = uuid4(), host.pool_path / f"{name}.img"
    disk.write_bytes(_BOOT_SECTOR.ljust(1024**2, b"\0"))
    definition = E.domain(
        E.name(name),
        E.uuid(str(uuid)),
        E.memory("16", unit="MiB"),
        E.vcpu("1"),
        E.os(E.type("hvm", arch="x86_64", machine="pc")),
        E.devices(
            E.disk(
                E.driver(name="qemu", type="raw"),
                E.source(file=str(disk)),
                E.target(dev="vda", bus="virtio"),
                type="file", device="disk",
            ),
            E.interface(E.source(network="default"), E.model(type="virtio"), type="network"),
        ),
        type="qemu",
    )  # fmt: skip
    file = host.root / f"{name}.xml"
    file.write_bytes(etree.tostring(definition))
    host.virsh("define", str(file))
    host.virsh("start", name)
    return uuid
