"""Other devices: each put in and taken out, now where QEMU can; and why a host's own can't be given away."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest

from core.errors import Conflict, Forbidden, InvalidInput
from domains.actions.devices import (
    add_device,
    attach_host_device,
    change_video,
    detach_device,
    detach_host_device,
)
from domains.device_wishes import ADDABLE, NewDevice
from domains.models import Domain, DomainDevice, DomainState
from domains.passthrough import offers
from hosts.connections import borrow
from hosts.devices import record_devices
from hosts.models import Host, HostDevice
from hypervisor.device_facts import DeviceKind, Presence
from hypervisor.device_specs import PciSpec, UsbSpec
from operations.models import Operation, OperationLog, OperationState
from tests.conftest import Cast, browser_of, program_of
from tests.domains.hardware import Machine, done
from tests.lab.host import LabHost

MAC = "52:54:00:c4:00:11"
# What this machine's run has a place for; the others come with its next start.
HOT = {DeviceKind.AGENT, DeviceKind.RNG, DeviceKind.WATCHDOG}


@pytest.fixture
def machine(lab_host: LabHost, real_host: Host) -> Iterator[Machine]:
    made = Machine(lab_host, real_host, "devices", mac=MAC)
    yield made
    made.gone()


def present(domain: Domain, kind: str) -> list[str]:
    return list(domain.devices.filter(kind=kind).values_list("present", flat=True))


class TestEachKind:
    @pytest.mark.parametrize("kind", ADDABLE)
    def test_of_a_machine_that_is_off(self, machine: Machine, cast: Cast, kind: DeviceKind) -> None:
        new = NewDevice(kind=kind, action="poweroff", rate_bytes_s=4096)
        ended = done(add_device(domain=machine.seen(), device=new, actor=cast.operator))

        assert ended.state == OperationState.SUCCEEDED, ended.error
        domain = machine.seen()
        assert present(domain, kind) == ["both"]
        with pytest.raises(Conflict, match="such a device already"):
            add_device(domain=domain, device=new, actor=cast.operator)

        key = domain.devices.get(kind=kind).key
        ended = done(detach_device(domain=domain, key=key, actor=cast.operator))
        assert ended.state == OperationState.SUCCEEDED, ended.error
        assert present(machine.seen(), kind) == []

    def test_of_one_that_runs(self, machine: Machine, cast: Cast) -> None:
        machine.start("--paused")
        for kind in ADDABLE:
            new = NewDevice(kind=kind)
            ended = done(add_device(domain=machine.seen(), device=new, actor=cast.operator))
            assert ended.state == OperationState.SUCCEEDED, ended.error
            assert present(machine.seen(), kind) == ["both" if kind in HOT else "next"]
            told = OperationLog.objects.filter(operation=ended, text__contains="next start").exists()
            assert told is (kind not in HOT)

    def test_what_was_chosen_for_them(self, machine: Machine, cast: Cast) -> None:
        for new in (NewDevice(kind="watchdog", action="pause"), NewDevice(kind="rng", rate_bytes_s=4096)):
            done(add_device(domain=machine.seen(), device=new, actor=cast.operator))

        details = dict(machine.seen().devices.values_list("kind", "detail"))
        assert details["watchdog"] == "pause"
        assert details["rng"] == "/dev/urandom, 4096 bytes/s"

    def test_the_video_card_changes_with_the_next_start(self, machine: Machine, cast: Cast) -> None:
        machine.start("--paused")

        ended = done(change_video(domain=machine.seen(), model="bochs", actor=cast.operator))

        assert ended.state == OperationState.SUCCEEDED, ended.error
        assert machine.document().find("devices/video/model").get("type") == "bochs"
        assert machine.document(live=True).find("devices/video/model").get("type") == "vga"

    def test_a_serial_port_that_runs_is_gone_with_the_stop(self, machine: Machine, cast: Cast) -> None:
        done(add_device(domain=machine.seen(), device=NewDevice(kind="serial"), actor=cast.operator))
        machine.start()

        ended = done(detach_device(domain=machine.seen(), key="serial:0", actor=cast.operator))

        assert ended.state == OperationState.SUCCEEDED, ended.error
        assert present(machine.seen(), "serial") == ["now"]
        assert machine.document().find("devices/console") is None

    def test_one_that_virsh_added_meanwhile_is_not_taken_for_ours(self, machine: Machine, cast: Cast) -> None:
        asked = add_device(domain=machine.seen(), device=NewDevice(kind="sound"), actor=cast.operator)
        file = machine.lab.root / "sound.xml"
        file.write_text("<sound model='ich9'/>")
        machine.lab.virsh("attach-device", str(machine.uuid), str(file), "--config")

        ended = done(asked)

        assert "such a device already" in ended.error
        assert present(machine.seen(), "sound") == ["both"]


class TestRefused:
    def test_what_every_machine_keeps(self, machine: Machine, cast: Cast) -> None:
        domain = machine.seen()
        for key in domain.devices.filter(kind__in=["video", "balloon"]).values_list("key", flat=True):
            with pytest.raises(Conflict, match="can't be taken out"):
                detach_device(domain=domain, key=key, actor=cast.operator)

    @pytest.mark.parametrize(
        "wish",
        [{"kind": "tpm"}, {"kind": "watchdog", "action": "explode"}, {"kind": "rng", "rate_bytes_s": -1}],
    )
    def test_what_there_is_not(self, machine: Machine, cast: Cast, wish: dict[str, Any]) -> None:
        with pytest.raises(InvalidInput):
            add_device(domain=machine.seen(), device=NewDevice(**wish), actor=cast.operator)

    def test_who_may_not(self, machine: Machine, cast: Cast) -> None:
        domain = machine.seen()
        with pytest.raises(Forbidden):
            add_device(domain=domain, device=NewDevice(kind="rng"), actor=cast.stranger)
        for page in ("devices/add/", "devices/video/", "host-devices/"):
            assert browser_of(cast.stranger).get(f"/machines/{domain.uuid}/{page}").status_code == 404
        Domain.objects.filter(pk=domain.pk).update(owner=cast.member)
        assert browser_of(cast.member).get(f"/machines/{domain.uuid}/host-devices/").status_code == 404


class TestHostDevices:
    """No test machine has USB or an IOMMU: reasons are proved on rows, libvirt's part on a machine that is off."""

    @pytest.fixture
    def domain(self, machine: Machine) -> Domain:
        return machine.seen()

    def device(self, host: Host, **different: Any) -> HostDevice:
        values: dict[str, Any] = {"kind": "pci", "address": "0000:09:00.0", "iommu_group": 9}
        return HostDevice.objects.create(host=host, name=f"pci_{uuid4().hex}", **values | different)

    def reason(self, domain: Domain, device: HostDevice) -> str:
        return next(offer.reason for offer in offers(domain) if offer.device.pk == device.pk)

    def test_those_of_a_real_host_say_what_they_hold(self, domain: Domain) -> None:
        with borrow(domain.host) as hypervisor:
            record_devices(domain.host, hypervisor.list_host_devices())

        found = offers(domain)

        assert any("interface" in offer.reason or "disk" in offer.reason for offer in found)
        assert all(offer.reason and offer.device.address for offer in found)

    def test_one_with_nothing_in_its_way(self, domain: Domain) -> None:
        assert self.reason(domain, self.device(domain.host)) == ""

    @pytest.mark.parametrize(
        ("different", "why"),
        [
            ({"iommu_group": None}, "no IOMMU"),
            ({"pci_class": "060400"}, "host's own board"),
            ({"holds": ["disk sda"]}, "uses it: disk sda"),
            ({"kind": "usb", "vendor_id": "1d6b", "product_id": "0002"}, "a hub"),
        ],
    )
    def test_why_not(self, domain: Domain, different: dict[str, Any], why: str) -> None:
        assert why in self.reason(domain, self.device(domain.host, **different))

    def test_one_that_shares_its_group(self, domain: Domain) -> None:
        group = ["0000:09:00.0", "0000:09:00.1"]
        device = self.device(domain.host, iommu_members=group)
        twin = self.device(domain.host, address=group[1], iommu_members=group, driver="nvme")

        assert "shares IOMMU group 9 with 0000:09:00.1" in self.reason(domain, device)
        HostDevice.objects.filter(pk=twin.pk).update(driver="vfio-pci")
        assert self.reason(domain, device) == ""

    def test_one_that_another_machine_has(self, domain: Domain, cast: Cast) -> None:
        device = self.device(domain.host)
        other = Domain.objects.create(host=domain.host, name="holder", state=DomainState.OFF)
        DomainDevice.objects.create(domain=other, kind="pci", key=f"pci:{device.address}")

        assert self.reason(domain, device) == "holder has it."
        with pytest.raises(Conflict, match="holder has it"):
            attach_host_device(domain=domain, device=device.name, actor=cast.operator)

    def test_one_that_another_machine_is_being_given(self, domain: Domain, cast: Cast) -> None:
        group = ["0000:09:00.0", "0000:09:00.1"]
        device = self.device(domain.host, iommu_members=group)
        twin = self.device(domain.host, address=group[1], iommu_members=group)
        other = Domain.objects.create(host=domain.host, name="faster", state=DomainState.OFF)
        assert self.reason(domain, device) == ""
        asked = attach_host_device(domain=other, device=device.name, actor=cast.operator)

        assert self.reason(other, device) == "", "it is not in its own way"
        assert "faster has it" in self.reason(domain, device)
        assert "which faster has" in self.reason(domain, twin)
        with pytest.raises(Conflict, match="faster has it"):
            attach_host_device(domain=domain, device=device.name, actor=cast.operator)
        Operation.objects.filter(pk=asked.pk).update(state=OperationState.FAILED)
        assert self.reason(domain, device) == ""

    def test_one_that_was_unplugged_meanwhile(self, domain: Domain, machine: Machine, cast: Cast) -> None:
        usb = self.device(domain.host, kind="usb", address="1.2", vendor_id="046d", product_id="c52b")

        ended = done(attach_host_device(domain=domain, device=usb.name, actor=cast.operator))

        assert ended.state == OperationState.FAILED
        assert "this device no more" in ended.error
        assert machine.document().find("devices/hostdev") is None

    @pytest.mark.parametrize(
        ("spec", "key"),
        [
            (UsbSpec(vendor_id="046d", product_id="c52b"), "usb:046d:c52b"),
            (PciSpec(address="0000:0a:1f.3"), "pci:0000:0a:1f.3"),
        ],
    )
    def test_is_given_twice_as_once_and_given_back(
        self, domain: Domain, machine: Machine, cast: Cast, spec: UsbSpec | PciSpec, key: str
    ) -> None:
        with borrow(domain.host) as hypervisor:
            for _ in range(2):
                assert hypervisor.plug_device(domain.uuid, spec) is Presence.BOTH
        assert len(machine.document().findall("devices/hostdev")) == 1
        given = machine.seen()

        ended = done(detach_host_device(domain=given, key=key, actor=cast.operator))

        assert ended.state == OperationState.SUCCEEDED, ended.error
        assert machine.document().find("devices/hostdev") is None

    def test_by_rest(self, domain: Domain, cast: Cast) -> None:
        device = self.device(domain.host, iommu_group=None)
        address = f"/api/v1/domains/{domain.uuid}/host-devices"

        listed = program_of(cast.operator).get(address).json()
        assert [one["reason"] for one in listed if one["name"] == device.name]
        refused = program_of(cast.operator).post(
            address, {"device": device.name}, content_type="application/json"
        )
        assert refused.status_code == 409
        assert "IOMMU" in refused.json()["title"]
        assert program_of(cast.stranger).get(address).status_code == 404
