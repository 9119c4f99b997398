"""Snapshots that somebody takes with virsh: no event tells of them, the next reading of everything does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID

import libvirt
import pytest

from domains.models import Snapshot
from domains.snapshots import inventory
from hosts.connections import borrow
from hosts.models import Host
from hypervisor.xml.elements import DOCUMENT_LIMIT_BYTES
from tests.domains.snapshots import Bench
from tests.eventually import eventually
from tests.lab.host import LabHost
from tests.stage import adopt
from tests.watcher.conftest import Define, watching
from watcher.reading import read_snapshots


@pytest.fixture
def bench(transactional_db: None, lab_host: LabHost) -> Iterator[Bench]:
    bench = Bench(lab_host, adopt(lab_host))
    yield bench
    bench.lab.clear()


def present() -> list[tuple[str, str, bool]]:
    return list(Snapshot.objects.present().order_by("name").values_list("name", "parent", "current"))


def test_come_and_go(near: Host, define: Define, lab_host: LabHost) -> None:
    machine, disk = define("web1"), lab_host.pool_path / "shot.qcow2"
    lab_host.virsh("vol-create-as", "default", disk.name, "1M", "--format", "qcow2")
    machine.virsh("attach-disk", str(disk), "vda", "--subdriver", "qcow2", "--config")
    machine.virsh("snapshot-create-as", "one")
    machine.virsh("snapshot-create-as", "two")
    with watching():
        eventually(lambda: present() == [("one", "", False), ("two", "one", True)], within_s=20)
    machine.virsh("snapshot-delete", "--snapshotname", "one")
    with watching():
        eventually(lambda: present() == [("two", "", True)], within_s=20)
    machine.virsh("snapshot-delete", "--snapshotname", "two")
    with watching():
        eventually(lambda: present() == [], within_s=20)
    lab_host.virsh("vol-delete", disk.name, "default")


def test_one_that_cannot_be_read_hides_no_others(bench: Bench) -> None:
    bad, good = bench.machine("bad"), bench.machine("good")
    file = bench.lab.root / "long.xml"
    words = "x" * DOCUMENT_LIMIT_BYTES
    file.write_text(f"<domainsnapshot><name>long</name><description>{words}</description></domainsnapshot>")
    bench.lab.virsh("snapshot-create", "bad", str(file))
    bench.lab.virsh("snapshot-create-as", "good", "one")

    def record(write: Callable[..., Any], *args: Any) -> Any:
        told = write(*args)
        return sorted(told, key=lambda uuid: uuid != bad.uuid) if write is inventory.unread else told

    with borrow(bench.host) as hypervisor:
        read_snapshots(bench.host, hypervisor, record)  # type: ignore[arg-type]

    assert Snapshot.objects.get().domain == good


def test_machines_without_any_cost_nothing(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """A round trip for each of a thousand machines, once a minute, is more than a slow line has time for."""
    machines = [bench.machine(name) for name in ("one", "two", "three")]
    bench.lab.virsh("snapshot-create-as", "two", "shot")
    asked: list[UUID] = []
    with borrow(bench.host) as hypervisor:
        for name in [name for name in vars(libvirt.virDomain) if "napshot" in name]:
            _note(monkeypatch, name, asked)
        outlines = hypervisor.snapshot_outlines()

    assert [(one.domain, one.names, one.current) for one in outlines] == [
        (machines[1].uuid, ("shot",), "shot")
    ]
    assert set(asked) == {machines[1].uuid}


def _note(monkeypatch: pytest.MonkeyPatch, name: str, asked: list[UUID]) -> None:
    call = getattr(libvirt.virDomain, name)

    def noted(domain: libvirt.virDomain, *args: Any) -> Any:
        asked.append(UUID(domain.UUIDString()))
        return call(domain, *args)

    monkeypatch.setattr(libvirt.virDomain, name, noted)
