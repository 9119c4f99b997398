"""Options of machines on a real host: what is asked for arrives, and nothing that virsh did meanwhile is lost."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from lxml import etree

from core.errors import Conflict, InvalidInput
from domains import inventory
from domains.actions import options as actions
from domains.models import Domain
from domains.option_wishes import (
    BootWish,
    ClockWish,
    CpuWish,
    FirmwareWish,
    LabelWish,
    MemoryWish,
    TpmWish,
    Wish,
)
from domains.options import pending
from hosts.connections import borrow
from hosts.models import Host
from operations.models import Operation, OperationState
from tests.conftest import Cast
from tests.lab.host import LabHost
from tests.stage import all_machines, carry_out

CARD = "52:54:00:00:00:01"


class TestOnARealHost:
    @pytest.fixture
    def domain(self, real_host: Host, lab_host: LabHost) -> Iterator[Domain]:
        """Off, with a disk, a drive and a card; it may have up to three vCPUs."""
        uuid = uuid4()
        file = lab_host.root / f"{uuid}.xml"
        file.write_text(
            f"<domain type='qemu'><name>options</name><uuid>{uuid}</uuid><memory unit='MiB'>64</memory>"
            "<vcpu current='1'>3</vcpu><os><type machine='q35'>hvm</type></os><features><acpi/></features><devices>"
            "<disk type='file' device='cdrom'><target dev='sda' bus='sata'/></disk>"
            f"<interface type='network'><mac address='{CARD}'/><source network='default'/><boot order='1'/></interface>"
            "<memballoon model='virtio'/></devices></domain>"
        )
        lab_host.virsh("define", str(file))
        yield self.read(real_host, str(uuid))
        if lab_host.virsh("domstate", str(uuid)).strip() != "shut off":
            lab_host.virsh("destroy", str(uuid))
        lab_host.virsh("undefine", "--nvram", str(uuid))

    def read(self, host: Host, uuid: str) -> Domain:
        with borrow(host) as hypervisor:
            for facts in all_machines(hypervisor):
                if str(facts.uuid) == uuid:
                    inventory.record_domain(host, facts)
        found: Domain = Domain.objects.select_related("host", "team", "owner").get(uuid=uuid)
        return found

    def change(self, domain: Domain, cast: Cast, wish: Wish) -> Operation:
        domain = self.read(domain.host, str(domain.uuid))
        return carry_out(actions.change(wish=wish, domain=domain, actor=cast.operator).pk)

    def test_each_group_arrives_and_nothing_else(self, domain: Domain, cast: Cast, lab_host: LabHost) -> None:
        wishes: list[tuple[Wish, str, Any]] = [
            (
                CpuWish(vcpus=1, vcpus_max=2, cpu="Nehalem", sockets=1, cores=2, threads=1),
                "cpu",
                "Nehalem",
            ),
            (MemoryWish(memory_mib=72, memory_max_mib=96), "memory_mib", 72),
            (BootWish(devices=("sda",)), "boot", ["sda"]),
            (TpmWish(tpm=True), "tpm", "2.0"),
            (TpmWish(tpm=False), "tpm", ""),
            (ClockWish(clock="Europe/Berlin"), "clock", "Europe/Berlin"),
            (FirmwareWish(firmware="uefi-secure"), "firmware", "uefi-secure"),
            (FirmwareWish(firmware="bios"), "firmware", "bios"),
        ]
        for wish, name, value in wishes:
            ended = self.change(domain, cast, wish)
            assert ended.state == OperationState.SUCCEEDED, (wish, ended.error)
            domain.refresh_from_db()
            assert domain.options["defined"][name] == value
        assert domain.options["defined"]["vcpus_max"] == 2
        assert (
            etree.fromstring(lab_host.virsh("dumpxml", str(domain.uuid)).encode()).find("devices/tpm") is None
        )

    def test_vcpus_come_at_once(self, domain: Domain, cast: Cast, lab_host: LabHost) -> None:
        lab_host.virsh("start", str(domain.uuid))

        ended = self.change(domain, cast, CpuWish(vcpus=2, vcpus_max=3, cpu="qemu64", now=True))

        assert ended.state == OperationState.SUCCEEDED, ended.error
        domain.refresh_from_db()
        assert domain.options["live"]["vcpus"] == domain.options["defined"]["vcpus"] == 2
        assert pending(domain) == []

    def test_what_can_not_come_at_once_waits(self, domain: Domain, cast: Cast, lab_host: LabHost) -> None:
        lab_host.virsh("start", str(domain.uuid))
        self.change(domain, cast, ClockWish(clock="localtime"))
        self.change(domain, cast, CpuWish(vcpus=3, vcpus_max=3, cpu="qemu64"))

        domain.refresh_from_db()
        assert [one.what for one in pending(domain)] == ["vCPUs", "Clock"]
        with pytest.raises(InvalidInput, match="at its next start"):
            self.change(domain, cast, MemoryWish(memory_mib=72, memory_max_mib=72, now=True))

    def test_a_change_by_virsh_in_between_is_kept(
        self, domain: Domain, cast: Cast, lab_host: LabHost
    ) -> None:
        asked = actions.change(wish=ClockWish(clock="localtime"), domain=domain, actor=cast.operator)
        lab_host.virsh("desc", str(domain.uuid), "--config", "by", "virsh")

        ended = carry_out(asked.pk)

        assert ended.state == OperationState.FAILED
        assert "was changed meanwhile" in ended.error
        assert (ended.left_behind, ended.fix) == ("", "Look at what is there now, and ask again.")
        now = self.read(domain.host, str(domain.uuid))
        assert (now.description, now.options["defined"]["clock"]) == ("by virsh", "utc")

    def test_labels_outlive_the_panel(self, domain: Domain, cast: Cast, lab_host: LabHost) -> None:
        lab_host.virsh("start", str(domain.uuid))
        words = LabelWish(title="<i>", description="two\nlines", tags=("a&b", "c"))

        ended = self.change(domain, cast, words)

        assert ended.state == OperationState.SUCCEEDED, ended.error
        assert pending(domain) == []
        Domain.objects.all().delete()
        found = self.read(domain.host, str(domain.uuid))
        assert (found.title, found.description, found.tags) == ("<i>", "two\nlines", ["a&b", "c"])

    def test_one_start_from_another_device(self, domain: Domain, cast: Cast, lab_host: LabHost) -> None:
        ended = carry_out(actions.start_from(device="sda", domain=domain, actor=cast.operator).pk)

        assert ended.state == OperationState.SUCCEEDED, ended.error
        domain.refresh_from_db()
        assert domain.options["live"]["boot"] == ["sda", CARD]
        assert [one.what for one in pending(domain)] == ["Boots from"]
        with pytest.raises(Conflict, match="makes no sense now"):
            actions.start_from(device="sda", domain=domain, actor=cast.operator)
        lab_host.virsh("destroy", str(domain.uuid))
        lab_host.virsh("start", str(domain.uuid))
        assert self.read(domain.host, str(domain.uuid)).options["live"]["boot"] == [CARD]

    def test_one_that_was_started_meanwhile_is_told(
        self, domain: Domain, cast: Cast, lab_host: LabHost
    ) -> None:
        asked = actions.start_from(device="sda", domain=domain, actor=cast.operator)
        lab_host.virsh("start", str(domain.uuid))

        ended = carry_out(asked.pk)

        assert ended.state == OperationState.FAILED
        assert "started meanwhile" in ended.error

    def test_a_device_that_it_does_not_have(self, domain: Domain, cast: Cast) -> None:
        with pytest.raises(InvalidInput):
            actions.start_from(device="vdz", domain=domain, actor=cast.operator)
