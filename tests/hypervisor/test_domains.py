"""A domain's life on a real libvirtd."""

import contextlib
import time
from collections.abc import Callable
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from hypervisor.driver import Hypervisor
from hypervisor.errors import AlreadyExists, AlreadyInState, HypervisorError, Invalid, NotFound, Refused
from hypervisor.facts import DomainState, OptionFacts
from hypervisor.specs import (
    CdromSpec,
    ClockOffset,
    CpuMode,
    DiskBus,
    DiskSpec,
    DomainSpec,
    Firmware,
    ImageFormat,
    LifecycleAction,
    NicSpec,
    TimerSpec,
    VideoModel,
    VolumeSpec,
)
from hypervisor.xml import edit_label, edit_size, edit_start
from tests.eventually import eventually
from tests.lab.guest import tiny_guest
from tests.lab.host import LabHost


def add_iso(host: Hypervisor, pool: UUID, name: str = "tiny.iso", content: bytes = b"iso") -> str:
    host.create_volume(pool, VolumeSpec(name=name, format=ImageFormat.RAW, capacity_bytes=len(content)))
    host.upload_volume(pool, name, BytesIO(content), size_bytes=len(content))
    return host.read_volume(pool, name).path


def _press_power_button(host: Hypervisor, uuid: UUID) -> bool:
    """True once the domain is off; a guest that is still booting does not feel the button, so press again.

    So often that one press meets a guest that is down while its QEMU has yet to end.
    """
    with contextlib.suppress(AlreadyInState):
        host.shutdown_domain(uuid)
    time.sleep(0.02)
    return host.domain_states()[uuid] is DomainState.OFF


class TestDefine:
    def test_comes_back_as_facts(self, host: Hypervisor, spec: DomainSpec) -> None:
        facts = host.define_domain(replace(spec, title="<b>", description="a\nb", marker="m"))

        assert (facts.uuid, facts.name, facts.title) == (spec.uuid, "small", "<b>")
        assert (facts.description, facts.marker) == ("a\nb", "m")
        assert (facts.state, facts.live_id, facts.persistent) == (DomainState.OFF, None, True)
        assert (facts.vcpus, facts.memory_mib, facts.accelerated) == (1, 32, False)
        assert host.find_domain_by_name("small") == spec.uuid
        assert host.domain_exists(spec.uuid)

    def test_twice_is_harmless(self, host: Hypervisor, spec: DomainSpec) -> None:
        assert host.define_domain(spec) == host.define_domain(spec)

    def test_of_a_taken_name_or_uuid_is_told(self, host: Hypervisor, spec: DomainSpec) -> None:
        host.define_domain(spec)

        with pytest.raises(AlreadyExists):
            host.define_domain(replace(spec, uuid=uuid4()))
        with pytest.raises(AlreadyExists):
            host.define_domain(replace(spec, name="other"))

    @pytest.mark.parametrize(
        "change",
        [
            {"name": ""},
            {"name": "a/b"},
            {"name": "a\nb"},
            {"name": "a\0b"},
            {"vcpus": 0},
            {"vcpus": -1},
            {"machine": "none-such"},
        ],
    )
    def test_of_nonsense_is_invalid(self, host: Hypervisor, spec: DomainSpec, change: dict[str, Any]) -> None:
        with pytest.raises(Invalid):
            host.define_domain(replace(spec, **change))
        assert host.domain_states() == {}

    def test_takes_everything_at_once(self, host: Hypervisor, spec: DomainSpec, pool: UUID) -> None:
        disk = host.create_volume(
            pool, VolumeSpec(name="d.qcow2", format=ImageFormat.QCOW2, capacity_bytes=2**30)
        )
        whole = replace(
            spec,
            firmware=Firmware.UEFI,
            cpu=CpuMode.MAXIMUM,
            memory_mib=128,
            disks=(
                DiskSpec(path=disk.path, format=ImageFormat.QCOW2, target="vda", boot_order=2, serial="s1"),
                DiskSpec(path=add_iso(host, pool), format=ImageFormat.RAW, target="sdb", bus=DiskBus.SCSI),
            ),
            cdroms=(CdromSpec(target="sda", boot_order=1),),
            nics=(NicSpec(source="default", mac="52:54:00:00:00:01"),),
            video=VideoModel.VIRTIO,
            rng=True,
            guest_agent=True,
            serial_console=True,
            tablet=True,
            balloon=True,
            clock=ClockOffset.LOCALTIME,
            timers=(TimerSpec(name="hpet", present=False),),
            on_reboot=LifecycleAction.DESTROY,
        )

        defined = host.define_domain(whole)
        host.start_domain(spec.uuid)
        running = host.read_domain(spec.uuid)

        assert (running.firmware, running.state) == ("uefi", DomainState.RUNNING)
        assert running.xml_sha == defined.xml_sha
        assert running.nics[0].device
        assert [disk.target for disk in running.disks] == ["vda", "sdb", "sda"]


class TestRead:
    def test_one_and_all_agree(self, host: Hypervisor, spec: DomainSpec) -> None:
        host.define_domain(spec)
        other = replace(spec, uuid=uuid4(), name="other")
        host.define_domain(other)
        host.set_autostart(other.uuid, enabled=True)
        host.start_domain(spec.uuid)

        everything = {one.uuid: one.facts for one in host.read_domains_anew({}) if one.facts is not None}

        assert everything == {uuid: host.read_domain(uuid) for uuid in (spec.uuid, other.uuid)}
        assert everything[other.uuid].autostart
        assert host.domain_states() == {spec.uuid: DomainState.RUNNING, other.uuid: DomainState.OFF}

    def test_a_domain_that_lost_its_definition_is_transient(self, host: Hypervisor, running: UUID) -> None:
        host.undefine_domain(running)

        facts = host.read_domain(running)
        assert [one.facts for one in host.read_domains_anew({})] == [facts]
        assert (facts.persistent, facts.state) == (False, DomainState.RUNNING)
        host.destroy_domain(running)
        assert not host.domain_exists(running)

    @pytest.mark.parametrize("name", ["plain.img", "a&b.img", 'it\'s "<so>".img', "größe.img"])
    def test_those_that_name_a_file(self, host: Hypervisor, spec: DomainSpec, name: str) -> None:
        path = f"/srv/{name}"
        host.define_domain(replace(spec, disks=(DiskSpec(path=path, format=ImageFormat.RAW, target="vda"),)))
        host.define_domain(replace(spec, uuid=uuid4(), name="other"))

        assert host.read_domains_naming(path) == host.read_domains_naming("", name)
        assert [facts.uuid for facts in host.read_domains_naming(path)] == [spec.uuid]
        assert host.read_domains_naming("/srv/another.img", "") == []

    def test_a_stranger_is_not_found(self, host: Hypervisor) -> None:
        stranger = uuid4()

        assert host.domain_exists(stranger) is False
        assert host.find_domain_by_name("nobody") is None
        for call in (
            host.read_domain,
            host.start_domain,
            host.destroy_domain,
            host.undefine_domain,
            host.screenshot,
        ):
            with pytest.raises(NotFound) as caught:
                call(stranger)
            assert caught.value.code is not None


class TestPower:
    def test_goes_round(self, host: Hypervisor, running: UUID) -> None:
        first = host.read_domain(running)
        host.suspend_domain(running)
        host.suspend_domain(running)
        assert host.read_domain(running).state_reason == "by user"
        host.resume_domain(running)
        host.reset_domain(running)
        host.destroy_domain(running)
        stopped = host.read_domain(running)
        host.start_domain(running, paused=True)

        assert first.live_id is not None
        assert (stopped.state, stopped.state_reason, stopped.live_id) == (DomainState.OFF, "destroyed", None)
        assert host.domain_states() == {running: DomainState.PAUSED}
        assert host.read_domain(running).live_id != first.live_id

    def test_already_so_is_told_apart_from_impossible(self, host: Hypervisor, running: UUID) -> None:
        for call in (host.start_domain, host.resume_domain):
            with pytest.raises(AlreadyInState):
                call(running)
        host.destroy_domain(running)
        off: tuple[Callable[[UUID], object], ...] = (host.destroy_domain, host.shutdown_domain)
        for switch_off in off:
            with pytest.raises(AlreadyInState):
                switch_off(running)
        on: tuple[Callable[[UUID], object], ...] = (
            host.suspend_domain,
            host.resume_domain,
            host.reset_domain,
            host.reboot_domain,
        )
        for switch in on:
            with pytest.raises(Refused):
                switch(running)

    def test_a_guest_obeys_the_power_button(self, host: Hypervisor, spec: DomainSpec, pool: UUID) -> None:
        path = add_iso(host, pool, content=tiny_guest().iso.read_bytes())
        host.define_domain(
            replace(spec, memory_mib=160, cdroms=(CdromSpec(target="sda", path=path, boot_order=1),))
        )
        host.start_domain(spec.uuid)

        eventually(lambda: _press_power_button(host, spec.uuid), within_s=60)
        assert host.read_domain(spec.uuid).state_reason == "shutdown"

    def test_a_missing_disk_is_an_error_to_show_not_a_missing_domain(
        self, host: Hypervisor, spec: DomainSpec
    ) -> None:
        disk = DiskSpec(path="/nowhere/disk.raw", format=ImageFormat.RAW, target="vda")
        host.define_domain(replace(spec, disks=(disk,)))

        with pytest.raises(HypervisorError, match="/nowhere/disk.raw") as caught:
            host.start_domain(spec.uuid)
        assert not isinstance(caught.value, NotFound)


class TestUndefine:
    def test_takes_nvram_and_saved_memory_along(
        self, host: Hypervisor, spec: DomainSpec, lab_host: LabHost
    ) -> None:
        host.define_domain(replace(spec, firmware=Firmware.UEFI))
        host.start_domain(spec.uuid)
        lab_host.virsh("managedsave", str(spec.uuid))
        assert host.read_domain(spec.uuid).managed_save
        nvram = lab_host.root / "lib" / "qemu" / "nvram" / "small_VARS.fd"
        assert nvram.exists()

        host.undefine_domain(spec.uuid)

        assert not nvram.exists()
        assert not host.domain_exists(spec.uuid)


class TestMedia:
    @pytest.mark.parametrize("started", [False, True])
    def test_come_and_go(self, host: Hypervisor, spec: DomainSpec, pool: UUID, *, started: bool) -> None:
        path = add_iso(host, pool)
        host.define_domain(replace(spec, cdroms=(CdromSpec(target="sda", boot_order=1),)))
        if started:
            host.start_domain(spec.uuid)

        host.change_media(spec.uuid, target="sda", path=path)
        assert host.read_domain(spec.uuid).disks[0].path == path
        host.change_media(spec.uuid, target="sda", path=None)
        assert host.read_domain(spec.uuid).disks[0].path == ""

        if started:
            host.destroy_domain(spec.uuid)
            assert host.read_domain(spec.uuid).disks[0].path == ""
        assert host.read_domain(spec.uuid).disks[0].boot_order == 1

    def test_need_a_drive(self, host: Hypervisor, running: UUID) -> None:
        with pytest.raises(NotFound):
            host.change_media(running, target="sda", path=None)


class TestEditedDefinition:
    def test_is_one_that_libvirt_takes(
        self, host: Hypervisor, spec: DomainSpec, lab_host: LabHost, pool: UUID, tmp_path: Path
    ) -> None:
        cdroms = (CdromSpec(target="sda", path=add_iso(host, pool)),)
        nics = (NicSpec(source="default", mac="52:54:00:00:00:01", boot_order=1),)
        host.define_domain(replace(spec, cdroms=cdroms, nics=nics))
        xml = lab_host.virsh("dumpxml", "--inactive", "--security-info", str(spec.uuid))

        xml = edit_label.set_labels(xml, title="New", description="Words", tags=["a", "<b>"])
        xml = edit_size.set_cpu(xml, vcpus=3, vcpus_max=4, cpu="host-model", sockets=2, cores=2, threads=1)
        xml = edit_size.set_memory(xml, memory_mib=64, memory_max_mib=128)
        xml = edit_start.set_boot_order(xml, devices=["sda", "52:54:00:00:00:01"])
        xml = edit_start.set_tpm(xml, tpm=True)
        xml = edit_start.set_clock(xml, clock="Europe/Berlin")
        xml = edit_start.set_firmware(xml, firmware="uefi-secure", nvram="small_VARS.fd")
        file = tmp_path / "edited.xml"
        file.write_text(xml)
        lab_host.virsh("define", "--validate", str(file))

        facts = host.read_domain(spec.uuid)
        assert (facts.title, facts.description, facts.tags) == ("New", "Words", ("a", "<b>"))
        assert (facts.vcpus, facts.vcpus_max, facts.memory_mib, facts.memory_max_mib) == (3, 4, 64, 128)
        assert facts.defined == OptionFacts(
            vcpus=3,
            vcpus_max=4,
            vcpus_fixed=3,
            memory_mib=64,
            memory_max_mib=128,
            balloon=False,
            cpu="host-model",
            sockets=2,
            cores=2,
            threads=1,
            boot=("sda", "52:54:00:00:00:01"),
            bootable=("sda", "52:54:00:00:00:01"),
            firmware="uefi-secure",
            tpm="2.0",
            clock="Europe/Berlin",
        )
        assert (facts.disks[0].boot_order, facts.graphics[0].has_password) == (1, True)
