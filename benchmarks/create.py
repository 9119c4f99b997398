"""How long a new machine takes, from the HTTP request to running, beside virt-install and beside bare libvirt calls.

Each round makes the same machine three times on the same libvirt host: 5 GiB qcow2, 1 vCPU, 128 MiB, network
`default`; and removes it again, untimed. The panel is measured from the request's first byte to the moment when its
inventory says "running"; virt-install as a process, from start to exit; the bare calls in this process.
"""

from __future__ import annotations

import sqlite3
import tempfile
import time
import uuid
from contextlib import closing
from pathlib import Path
from uuid import UUID

import httpx

from benchmarks import report
from hypervisor.driver import Hypervisor
from hypervisor.specs import DiskSpec, DomainSpec, ImageFormat, NicSpec, VncSpec, VolumeSpec
from hypervisor.uri import Address
from tests.lab.host import LabHost
from tests.lab.panel import Panel

ROUNDS = 15
WARM_UP = 2
GIB = 1024**3
DEADLINE_S = 60.0
MEMORY_MIB = 128


def by_panel(api: httpx.Client, inventory: sqlite3.Connection, body: dict[str, object]) -> tuple[float, UUID]:
    """Milliseconds, and the machine's UUID. The rows are read as a file: asking by REST would slow what it asks for."""
    began = time.perf_counter()
    accepted = api.post("/api/v1/domains", json=body).raise_for_status().json()
    domain, operation = UUID(accepted["target"]), UUID(accepted["operation"])
    wait_for(inventory, "SELECT state FROM domains_domain WHERE uuid = ?", domain, "running")
    took = (time.perf_counter() - began) * 1000
    wait_for(inventory, "SELECT state FROM operations_operation WHERE id = ?", operation, "succeeded")
    return took, domain


def wait_for(
    inventory: sqlite3.Connection, question: str, key: UUID, answer: object, *, within_s: float = DEADLINE_S
) -> None:
    """Until the row says so. Raises SystemExit after `within_s`."""
    deadline = time.monotonic() + within_s
    while (row := inventory.execute(question, [key.hex]).fetchone()) != (answer,):
        if time.monotonic() > deadline:
            raise SystemExit(f"{row} is not {answer!r} after {within_s:.0f} s")
        time.sleep(0.002)


def by_virt_install(lab: LabHost, name: str) -> float:
    """Milliseconds."""
    command = [
        "virt-install", "--connect", "qemu:///system", "--name", name, "--vcpus", "1",
        "--memory", str(MEMORY_MIB), "--disk", "pool=default,size=5,format=qcow2", "--network", "network=default",
        "--graphics", "vnc", "--import", "--osinfo", "linux2022", "--virt-type", "qemu", "--noautoconsole",
    ]  # fmt: skip
    began = time.perf_counter()
    lab.exec(*command)
    return (time.perf_counter() - began) * 1000


def by_bare_calls(hypervisor: Hypervisor, pool: UUID, name: str) -> tuple[float, UUID]:
    """Milliseconds, and the machine's UUID."""
    domain = uuid.uuid4()
    began = time.perf_counter()
    volume = hypervisor.create_volume(
        pool, VolumeSpec(name=f"{name}.qcow2", format=ImageFormat.QCOW2, capacity_bytes=5 * GIB)
    )
    hypervisor.define_domain(
        DomainSpec(
            uuid=domain,
            name=name,
            vcpus=1,
            memory_mib=MEMORY_MIB,
            disks=(DiskSpec(path=volume.path, format=ImageFormat.QCOW2, target="vda"),),
            nics=(NicSpec(source="default", mac="52:54:00:00:be:9c"),),
            vnc=VncSpec(password="bench"),  # noqa: S106
        )
    )
    hypervisor.start_domain(domain)
    return (time.perf_counter() - began) * 1000, domain


def remove(hypervisor: Hypervisor, pool: UUID, domain: UUID) -> None:
    """The machine and its disk."""
    disks = hypervisor.read_domain(domain).disks
    hypervisor.destroy_domain(domain)
    hypervisor.undefine_domain(domain)
    for disk in disks:
        hypervisor.refresh_pool(pool)
        hypervisor.delete_volume(pool, Path(disk.path).name)


def body_for(api: httpx.Client, name: str) -> dict[str, object]:
    """The request, with the panel's own ids for the host, pool and network."""
    host = api.get("/api/v1/hosts").raise_for_status().json()["items"][0]["uuid"]
    pools = api.get("/api/v1/storage/pools").raise_for_status().json()["items"]
    networks = api.get("/api/v1/networks").raise_for_status().json()["items"]
    return {
        "name": name,
        "host": host,
        "pool": next(pool["uuid"] for pool in pools if pool["name"] == "default"),
        "network": next(net["uuid"] for net in networks if net["name"] == "default"),
        "vcpus": 1,
        "memory_mib": MEMORY_MIB,
        "disk_gib": 5,
        "disk_format": "qcow2",
    }


def measure(panel: Panel, lab: LabHost) -> dict[str, list[float]]:
    """Milliseconds per way, the three ways in turn in each round."""
    times: dict[str, list[float]] = {"bare": [], "panel": [], "virt-install": []}
    with (
        panel.api() as api,
        closing(sqlite3.connect(panel.state / "db.sqlite3")) as inventory,
        Hypervisor.open(Address(socket=str(lab.socket))) as hypervisor,
    ):
        pool = hypervisor.find_pool_by_name("default")
        assert pool is not None
        body = body_for(api, "bench")
        for turn in range(WARM_UP + ROUNDS):
            bare, domain = by_bare_calls(hypervisor, pool, f"bare{turn}")
            remove(hypervisor, pool, domain)
            ours, domain = by_panel(api, inventory, {**body, "name": f"panel{turn}"})
            remove(hypervisor, pool, domain)
            peer = by_virt_install(lab, f"peer{turn}")
            found = hypervisor.find_domain_by_name(f"peer{turn}")
            assert found is not None
            remove(hypervisor, pool, found)
            if turn >= WARM_UP:
                times["bare"].append(bare)
                times["panel"].append(ours)
                times["virt-install"].append(peer)
    return times


def main() -> None:
    """Print the table and the figures."""
    with (
        tempfile.TemporaryDirectory(prefix="panel-bench-") as scratch,
        LabHost(Path(scratch) / "lab") as lab,
        Panel(Path(scratch) / "state", libvirt_socket=lab.socket) as panel,
    ):
        times = measure(panel, lab)
    spreads = {way: report.spread(samples) for way, samples in times.items()}
    table = report.Table(
        f"A new machine, request to running, {ROUNDS} rounds, ms", "way", "median (range)", "p95"
    )
    for way, spread in spreads.items():
        table.row(way, spread, spread.p95)
    table.print()
    report.finish(
        "create",
        {
            "ratio_virt_install": spreads["panel"].median / spreads["virt-install"].median,
            "over_bare_ms": spreads["panel"].median - spreads["bare"].median,
            "bare_ms": spreads["bare"].median,
            "panel_ms": spreads["panel"].median,
            "virt_install_ms": spreads["virt-install"].median,
            "rounds": ROUNDS,
        },
    )


if __name__ == "__main__":
    main()
