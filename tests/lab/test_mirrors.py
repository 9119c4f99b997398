"""Images of a host are hosts of their own, and what is said there is real."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import libvirt
import pytest

from tests.lab.host import LabHost
from tests.lab.machines import Machine, machine
from tests.lab.mirrors import Mirrors


@pytest.fixture
def seen(lab_host: LabHost) -> Iterator[Machine]:
    with machine(lab_host, "seen twice") as seen:
        yield seen


@pytest.fixture
def images(lab_host: LabHost, seen: Machine, tmp_path: Path) -> Iterator[list[libvirt.virConnect]]:
    known = [lab_host.host_uuid, seen.uuid]
    with Mirrors(tmp_path, socket=lab_host.socket, uuids=known, count=2) as mirrors:
        connections = [libvirt.open(f"qemu+unix:///system?socket={path}") for path in mirrors.sockets]
        yield connections
        for connection in connections:
            connection.close()


class TestMirrors:
    def test_have_uuids_of_their_own(
        self, lab_host: LabHost, seen: Machine, images: list[libvirt.virConnect]
    ) -> None:
        hosts = [connection.getCapabilities() for connection in images]
        machines = [connection.listAllDomains(0)[0].UUIDString() for connection in images]

        assert len({str(seen.uuid), *machines}) == 3
        assert len(set(hosts)) == 2
        assert not any(str(lab_host.host_uuid) in capabilities for capabilities in hosts)

    def test_know_their_machines_by_them(self, images: list[libvirt.virConnect]) -> None:
        for connection in images:
            uuid = connection.listAllDomains(0)[0].UUIDString()
            found = connection.lookupByUUIDString(uuid)

            assert found.UUIDString() == uuid
            assert f"<uuid>{uuid}</uuid>" in found.XMLDesc(0)

    def test_show_what_happens(self, seen: Machine, images: list[libvirt.virConnect]) -> None:
        seen.virsh("start")

        for connection in images:
            (domain, used), *_ = connection.getAllDomainStats(0, 0)
            assert domain.UUIDString() == connection.listAllDomains(0)[0].UUIDString()
            assert used["cpu.time"] > 0
