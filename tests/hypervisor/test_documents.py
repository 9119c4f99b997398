"""What is built can be read back, whatever people write; what is edited changes in one place; traps are refused."""

from dataclasses import replace
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hypervisor.errors import Invalid, NotFound, Unsupported
from hypervisor.facts import DomainFacts, DomainState, PoolState
from hypervisor.xml import build, edit, parse
from hypervisor.xml.elements import document, serialize
from tests.hypervisor.specimens import INSTALLING, NETWORK, UEFI, VOLUMES

OFF = parse.DomainSituation(
    state=DomainState.OFF, state_reason="", live_id=None, persistent=True, autostart=False, managed_save=False
)
INSTALLING_XML = build.domain_xml(INSTALLING)

# What XML can carry: no control characters but tab and newline, no surrogates, no non-characters.
words = st.text(
    st.characters(min_codepoint=0x20, max_codepoint=0xD7FF, exclude_characters="\x7f")
    | st.sampled_from("\t\n"),
    max_size=60,
)


def read(xml: str) -> DomainFacts:
    return parse.domain_facts(definition=xml, live=None, situation=OFF)


class TestReadingWhatWasBuilt:
    def test_gives_back_the_machine(self) -> None:
        facts = read(INSTALLING_XML)

        assert facts.uuid == INSTALLING.uuid
        assert (facts.name, facts.title, facts.marker) == (
            INSTALLING.name,
            INSTALLING.title,
            INSTALLING.marker,
        )
        assert (facts.vcpus, facts.vcpus_max, facts.accelerated) == (2, 2, False)
        assert (facts.firmware, facts.machine) == ("bios", "q35")
        disk, cdrom = facts.disks
        assert (disk.target, disk.bus, disk.device, disk.format, disk.boot_order) == (
            "vda",
            "virtio",
            "disk",
            "qcow2",
            1,
        )
        assert (disk.path, disk.serial, disk.readonly) == (INSTALLING.disks[0].path, "5f1f2d0e", False)
        assert (cdrom.target, cdrom.device, cdrom.readonly) == ("sda", "cdrom", True)
        assert cdrom.path == INSTALLING.cdroms[0].path
        assert [(nic.kind, nic.source, nic.model) for nic in facts.nics] == [("network", "default", "virtio")]
        assert facts.graphics[0].has_password
        assert facts.graphics[0].port is None

    def test_tells_uefi_and_bridges(self) -> None:
        facts = read(build.domain_xml(UEFI))

        assert facts.firmware == "uefi"
        assert (facts.nics[0].kind, facts.nics[0].source) == ("bridge", "br0")
        assert facts.disks[-1].path == ""

    @given(title=words, description=words, marker=words, path=words.filter(bool))
    def test_survives_any_text(self, title: str, description: str, marker: str, path: str) -> None:
        disk = replace(INSTALLING.disks[0], path=path)
        spec = replace(
            INSTALLING,
            title=title,
            description=description,
            marker=marker,
            disks=(disk,),
        )

        facts = read(build.domain_xml(spec))

        assert (facts.title, facts.description, facts.marker) == (title, description, marker)
        assert facts.disks[0].path == path
        assert len(facts.disks) == 2

    @pytest.mark.parametrize("text", ["\0", "a\x08", "\ud800", "\ufffe"])
    def test_refuses_text_that_xml_cannot_carry(self, text: str) -> None:
        with pytest.raises(Invalid):
            build.domain_xml(replace(INSTALLING, title=text))
        with pytest.raises(Invalid):
            build.domain_xml(replace(INSTALLING, marker=text))

    def test_of_other_objects(self) -> None:
        network = parse.network_facts(
            build.nat_network_xml(NETWORK), active=True, persistent=True, autostart=False
        )
        assert (network.name, network.bridge, network.forward_mode) == ("lab & <co>", "virbr9", "nat")
        assert network.addresses == ("192.0.2.1/26",)
        assert network.dhcp_ranges == (("192.0.2.10", "192.0.2.62"),)

        pool = parse.pool_facts(
            build.dir_pool_xml(uuid=str(NETWORK.uuid), name="p", path="/srv/p"),
            state=PoolState.INACTIVE,
            persistent=True,
            autostart=True,
        )
        assert (pool.uuid, pool.kind, pool.path, pool.capacity_bytes) == (NETWORK.uuid, "dir", "/srv/p", 0)

        volume = parse.volume_facts(build.volume_xml(VOLUMES[0]))
        assert (volume.format, volume.capacity_bytes) == ("qcow2", 5 * 1024**3)


class TestHostileDocuments:
    BOMB = (
        '<!DOCTYPE d [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]><domain><name>&b;</name></domain>'
    )
    OUTSIDE = '<!DOCTYPE d [<!ENTITY a SYSTEM "file:///etc/passwd">]><domain><name>&a;</name></domain>'

    @pytest.mark.parametrize(
        "text",
        [
            BOMB,
            OUTSIDE,
            "<?xml version='1.0'?>\n" + OUTSIDE,
            "<domain>&a;</domain>",
            "<domain>",
            "",
            "\0",
            "\ud800",
            "<domain><name>" + "a" * 1024 * 1024 + "</name></domain>",
            "<a>" * 10_000 + "</a>" * 10_000,
        ],
    )
    def test_are_refused(self, text: str) -> None:
        with pytest.raises(Invalid):
            document(text)

    def test_without_a_uuid_are_refused(self) -> None:
        with pytest.raises(Invalid):
            read("<domain><uuid>..</uuid></domain>")

    def test_with_nonsense_numbers_count_as_zero(self) -> None:
        facts = read(
            f"<domain type='kvm'><uuid>{INSTALLING.uuid}</uuid><vcpu current='x'>many</vcpu>"
            f"<memory>{'9' * 40}</memory><devices><graphics type='vnc' port='70000'/><disk/><interface/></devices>"
            "</domain>"
        )

        assert (facts.vcpus, facts.memory_max_mib, facts.graphics[0].port) == (0, 0, None)
        assert facts.disks[0].boot_order is None

    def test_with_endless_texts_are_cut(self) -> None:
        facts = read(f"<domain><uuid>{INSTALLING.uuid}</uuid><name>{'n' * 9999}</name></domain>")
        assert len(facts.name) == 4096

    @given(st.text(max_size=200))
    def test_never_raise_anything_else(self, text: str) -> None:
        try:
            read(f"<domain><uuid>{INSTALLING.uuid}</uuid>{text}</domain>")
        except Invalid:
            return


class TestEditing:
    FOREIGN = INSTALLING_XML.replace(
        "</devices>", "<watchdog model='itco' action='reset'/></devices><qemu:x xmlns:qemu='q'/>"
    )

    def changed_lines(self, after: str) -> set[str]:
        before = {line.strip() for line in serialize(document(self.FOREIGN)).splitlines()}
        return {line.strip() for line in after.splitlines()} - before

    def test_changes_one_element(self) -> None:
        assert self.changed_lines(edit.set_name(self.FOREIGN, "<x>")) == {"<name>&lt;x&gt;</name>"}

    def test_foreign_elements_survive(self) -> None:
        edited = edit.set_media(self.FOREIGN, target="sda", path=None)

        assert "<watchdog" in edited
        assert "qemu:x" in edited
        assert 'passwd="a&lt;b&quot;c&amp;d"' in edited

    def test_media_come_and_go(self) -> None:
        empty = edit.set_media(self.FOREIGN, target="sda", path=None)
        assert read(empty).disks[1].path == ""
        full = edit.set_media(empty, target="sda", path="/srv/<other>.iso")
        assert read(full).disks[1].path == "/srv/<other>.iso"
        assert read(full).disks[1].boot_order == 2
        device = document(edit.media_device(full, target="sda", path=None))
        assert (device.tag, device.find("source")) == ("disk", None)

    def test_a_password_is_changed_without_its_other_conditions(self) -> None:
        live = self.FOREIGN.replace('type="vnc"', 'type="vnc" connected="disconnect"')
        screen = document(edit.vnc_password_device(live, password="new", expires="2030-01-01T00:00:00"))
        assert screen.get("passwd") == "new"
        assert screen.get("passwdValidTo") == "2030-01-01T00:00:00"
        assert screen.get("connected") is None

    def test_what_is_not_there_cannot_be_changed(self) -> None:
        with pytest.raises(NotFound):
            edit.set_media(self.FOREIGN, target="vda", path=None)
        with pytest.raises(Unsupported):
            edit.vnc_password_device("<domain/>", password="x", expires="")
        with pytest.raises(Invalid):
            edit.set_name("<domain/>", "x")


def test_the_hash_follows_the_definition() -> None:
    assert read(INSTALLING_XML).xml_sha != read(edit.set_name(INSTALLING_XML, "x")).xml_sha
    assert read(INSTALLING_XML) == read(INSTALLING_XML)
    assert read(INSTALLING_XML).uuid == UUID(str(INSTALLING.uuid))
