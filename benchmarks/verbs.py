"""What the panel adds to one verb, and how fast it is at fifty, beside the same libvirt calls made by this process.

Two machines of the same make on one libvirt host: one is started, given a disk, forced off and kept in a snapshot
through the panel, the other by bare calls, in turn in each round. The panel is measured from the request's first
byte to the moment when its operation is recorded as done. Then fifty machines are started in bulk, and by a loop.
"""

from __future__ import annotations

import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx

from benchmarks import report
from benchmarks.create import body_for, wait_for
from hypervisor.driver import Hypervisor
from hypervisor.snapshots import SnapshotSpec
from hypervisor.specs import DiskSpec, DomainSpec, ImageFormat, VolumeSpec
from hypervisor.uri import Address
from tests.lab.host import LabHost
from tests.lab.panel import Panel

ROUNDS = 12
WARM_UP = 2
MANY = 50
TIMES = 3
TARGET = "vdb"
MIB = 1024**2
VERBS = ("start", "attach disk", "force off", "snapshot")
DEADLINE_S = 300.0


@dataclass
class Bench:
    """Both ways to the same host."""

    api: httpx.Client
    inventory: sqlite3.Connection
    hypervisor: Hypervisor
    pool: UUID
    bare: dict[str, list[float]] = field(default_factory=lambda: {verb: [] for verb in VERBS})
    ours: dict[str, list[float]] = field(default_factory=lambda: {verb: [] for verb in VERBS})

    def ask(self, address: str, **body: object) -> float:
        """Milliseconds from the request to the operation's recorded end. Raises SystemExit unless it went well."""
        began = time.perf_counter()
        answer = self.api.post(f"/api/v1/domains/{address}", json=body)
        operation = UUID(answer.raise_for_status().json()["operation"])
        self.until("SELECT state FROM operations_operation WHERE id = ?", operation, "succeeded")
        return (time.perf_counter() - began) * 1000

    def volume(self) -> str:
        """A new volume, small and empty; its name."""
        spec = VolumeSpec(name=f"{uuid4()}.qcow2", format=ImageFormat.QCOW2, capacity_bytes=16 * MIB)
        self.hypervisor.create_volume(self.pool, spec)
        return spec.name

    def until(self, question: str, key: UUID, answer: object) -> None:
        """Until the inventory says so. Raises SystemExit."""
        wait_for(self.inventory, question, key, answer, within_s=DEADLINE_S)


def timed(call: Callable[[], object]) -> float:
    """Milliseconds."""
    began = time.perf_counter()
    call()
    return (time.perf_counter() - began) * 1000


def by_bare_calls(bench: Bench, domain: UUID) -> dict[str, float]:
    """One round; milliseconds by verb."""
    host = bench.hypervisor
    path = host.read_volume(bench.pool, bench.volume()).path
    disk = DiskSpec(path=path, format=ImageFormat.QCOW2, target=TARGET)
    moment = SnapshotSpec(name=str(uuid4()), description="", inside=("vda",))
    times = {
        "start": timed(lambda: host.start_domain(domain)),
        "attach disk": timed(lambda: host.plug_disk(domain, disk)),
        "force off": timed(lambda: host.destroy_domain(domain)),
    }
    host.undefine_disk(domain, TARGET)
    times["snapshot"] = timed(lambda: host.take_snapshot(domain, moment))
    return times


def by_panel(bench: Bench, domain: UUID) -> dict[str, float]:
    """The same by REST."""
    volume = known_volume(bench, bench.volume())
    times = {
        "start": bench.ask(f"{domain}/power/start"),
        "attach disk": bench.ask(f"{domain}/disks/attach", volume=str(volume)),
        "force off": bench.ask(f"{domain}/power/force-off"),
    }
    bench.hypervisor.undefine_disk(domain, TARGET)
    bench.until(
        "SELECT COUNT(*) FROM domains_domaindisk d JOIN domains_domain m ON m.id = d.domain_id WHERE m.uuid = ?",
        domain,
        1,
    )
    times["snapshot"] = bench.ask(f"{domain}/snapshots", label="bench")
    return times


def known_volume(bench: Bench, name: str) -> UUID:
    """The panel's own id of a volume that it has not seen yet."""
    bench.api.post(f"/api/v1/storage/pools/{bench.pool}/refresh").raise_for_status()
    until = time.monotonic() + DEADLINE_S
    while time.monotonic() < until:
        found = bench.inventory.execute("SELECT uuid FROM storage_volume WHERE name = ?", [name]).fetchone()
        if found:
            return UUID(found[0])
        time.sleep(0.05)
    raise SystemExit(f"the panel does not see the volume {name}")


def rounds(bench: Bench) -> None:
    """Fill the samples."""
    body: dict[str, Any] = body_for(bench.api, "bench") | {"disk_gib": 1, "start": False}
    ours, bare = (made(bench, {**body, "name": name}) for name in ("ours", "bare"))
    for turn in range(WARM_UP + ROUNDS):
        for times, samples in ((by_bare_calls(bench, bare), bench.bare), (by_panel(bench, ours), bench.ours)):
            for verb, took in times.items():
                if turn >= WARM_UP:
                    samples[verb].append(took)


def made(bench: Bench, body: dict[str, Any]) -> UUID:
    """A machine that the panel made."""
    answer = bench.api.post("/api/v1/domains", json=body).raise_for_status().json()
    operation = UUID(answer["operation"])
    bench.until("SELECT state FROM operations_operation WHERE id = ?", operation, "succeeded")
    return UUID(answer["target"])


def many(bench: Bench) -> tuple[list[float], list[float]]:
    """Starts in a second, by a bare loop and in bulk, as often as TIMES says."""
    machines = [uuid4() for _ in range(MANY)]
    for number, domain in enumerate(machines):
        bench.hypervisor.define_domain(
            DomainSpec(uuid=domain, name=f"many{number:02}", vcpus=1, memory_mib=32)
        )
    bare, bulk = [], []
    for _ in range(TIMES):
        with all_off(bench, machines):
            took = timed(lambda: start_all(bench, machines))
        bare.append(MANY / took * 1000)
        with all_off(bench, machines):
            took = bench.ask("bulk/start", machines=[str(domain) for domain in machines])
        bulk.append(MANY / took * 1000)
    return bare, bulk


def start_all(bench: Bench, machines: list[UUID]) -> None:
    """One after another."""
    for domain in machines:
        bench.hypervisor.start_domain(domain)


@contextmanager
def all_off(bench: Bench, machines: list[UUID]) -> Iterator[None]:
    """They are off before, as far as the panel knows, and forced off afterwards."""
    for domain in machines:
        bench.until("SELECT state FROM domains_domain WHERE uuid = ?", domain, "off")
    yield
    for domain in machines:
        bench.hypervisor.destroy_domain(domain)


def main() -> None:
    """Print the tables and the figures."""
    with (
        tempfile.TemporaryDirectory(prefix="panel-bench-") as scratch,
        LabHost(Path(scratch) / "lab") as lab,
        Panel(Path(scratch) / "state", libvirt_socket=lab.socket) as panel,
        panel.api() as api,
        closing(sqlite3.connect(panel.state / "db.sqlite3")) as inventory,
        Hypervisor.open(Address(socket=str(lab.socket))) as hypervisor,
    ):
        pool = hypervisor.find_pool_by_name("default")
        assert pool is not None
        bench = Bench(api, inventory, hypervisor, pool)
        rounds(bench)
        bare, bulk = (report.spread(rates) for rates in many(bench))
    table = report.Table(
        f"One verb, request to recorded outcome, {ROUNDS} rounds, ms", "verb", "bare", "panel", "over bare"
    )
    over = {}
    for verb in VERBS:
        ours, calls = report.spread(bench.ours[verb]), report.spread(bench.bare[verb])
        over[verb] = ours.median - calls.median
        table.row(verb, calls, ours, over[verb])
    table.print()
    rates = report.Table(f"{MANY} starts, in a second, {TIMES} times", "way", "median (range)")
    rates.row("a bare loop", bare)
    rates.row("in bulk", bulk)
    rates.print()
    report.finish(
        "verbs",
        {
            "over_bare_ms": max(over.values()),
            **{f"over_bare_{verb.replace(' ', '_')}_ms": value for verb, value in over.items()},
            "bulk_rate_ratio": bulk.median / bare.median,
            "rounds": ROUNDS,
        },
    )


if __name__ == "__main__":
    main()
