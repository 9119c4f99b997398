"""Snapshots' documents, and what a host can claim in them."""

from __future__ import annotations

import pytest
from lxml import etree

from hypervisor.errors import Invalid
from hypervisor.facts import DomainState
from hypervisor.xml import snapshots

DISK = """<disk type='file' device='disk'><driver name='qemu' type='raw' cache='none'/><source file='/p/a'/>
<backingStore type='file'><format type='qcow2'/><source file='/p/old'/></backingStore>
<target dev='vda' bus='virtio'/><odd:unknown xmlns:odd='urn:odd'/></disk>"""
DOCUMENT = f"""<domainsnapshot><name>one</name><description>why &lt;b&gt;</description><state>running</state>
<parent><name>zero</name></parent><creationTime>1795408045</creationTime>
<memory snapshot='external' file='/p/m'/>
<disks><disk name='vda' snapshot='external'><source file='/p/b'/></disk><disk name='sda' snapshot='no'/></disks>
<domain type='qemu'><name>live</name><devices>{DISK}</devices></domain>
<inactiveDomain type='qemu'><name>defined</name><devices>{DISK}</devices></inactiveDomain></domainsnapshot>"""


class TestFacts:
    def test_all_that_is_told(self) -> None:
        facts = snapshots.snapshot_facts(DOCUMENT, current=True)

        assert (facts.name, facts.parent, facts.description) == ("one", "zero", "why <b>")
        assert (facts.state, facts.memory, facts.memory_path) == (DomainState.RUNNING, "external", "/p/m")
        assert [(file.target, file.path, file.format) for file in facts.files] == [("vda", "/p/a", "raw")]
        assert facts.taken_at is not None
        assert facts.taken_at.year == 2026

    @pytest.mark.parametrize("seconds", ["", "-1", "x", "9" * 12, "9" * 40, "٣"])
    def test_a_time_that_is_none(self, seconds: str) -> None:
        snapshots.snapshot_facts(DOCUMENT.replace("1795408045", seconds), current=False)

    @pytest.mark.parametrize(
        "text", ["<domainsnapshot/>", "<x><memory snapshot='yes'/><state>odd</state></x>"]
    )
    def test_next_to_nothing(self, text: str) -> None:
        facts = snapshots.snapshot_facts(text, current=False)

        assert (facts.name, facts.memory, facts.state) == ("", "no", DomainState.UNKNOWN)

    def test_a_doctype_is_refused(self) -> None:
        with pytest.raises(Invalid):
            snapshots.snapshot_facts(f"<!DOCTYPE x>{DOCUMENT}", current=False)


class TestGoingBack:
    def test_the_definition_is_that_of_then_on_other_files(self) -> None:
        root = etree.fromstring(snapshots.definition_at(DOCUMENT, {"vda": "/p/<new>"}))
        disk = root.find("devices/disk")
        assert disk is not None

        assert (root.tag, root.findtext("name")) == ("domain", "defined")
        assert disk.find("source").get("file") == "/p/<new>"  # type: ignore[union-attr]
        assert dict(disk.find("driver").attrib) == {"name": "qemu", "type": "qcow2", "cache": "none"}  # type: ignore[union-attr]
        assert disk.find("backingStore") is None
        assert disk.find("{urn:odd}unknown") is not None

    def test_the_run_is_that_of_then(self) -> None:
        assert "<name>live</name>" in snapshots.run_at(DOCUMENT, {"vda": "/p/new"})

    def test_a_disk_that_was_not_there(self) -> None:
        with pytest.raises(Invalid, match="vdz"):
            snapshots.definition_at(DOCUMENT, {"vdz": "/p/new"})

    def test_without_a_definition(self) -> None:
        with pytest.raises(Invalid):
            snapshots.definition_at("<domainsnapshot/>", {})


class TestFilesThatMoved:
    def test_are_found_in_both_documents(self) -> None:
        root = etree.fromstring(snapshots.with_files_replaced(DOCUMENT, {"/p/a": ("/p/base", "qcow2")}))

        for domain in ("domain", "inactiveDomain"):
            disk = root.find(f"{domain}/devices/disk")
            assert disk is not None
            assert disk.find("source").get("file") == "/p/base"  # type: ignore[union-attr]
            assert disk.find("driver").get("type") == "qcow2"  # type: ignore[union-attr]
        assert root.find("disks/disk/source").get("file") == "/p/b"  # type: ignore[union-attr]

    def test_others_stay(self) -> None:
        same = snapshots.with_files_replaced(DOCUMENT, {"/p/z": ("/p/base", "qcow2")})

        assert etree.canonicalize(same) == etree.canonicalize(DOCUMENT)


class TestChains:
    def test_from_the_upper_to_the_lower(self) -> None:
        live = f"<domain><devices>{DISK}</devices></domain>"

        assert snapshots.chains(live) == {"vda": ("/p/a", "/p/old")}
        assert "old" not in snapshots.without_chains(live, frozenset({"vda"}))
        assert "old" in snapshots.without_chains(live, frozenset({"vdb"}))

    @pytest.mark.parametrize(("ready", "told"), [("yes", True), ("abort", False), ("", False)])
    def test_what_was_merged_to_its_end(self, ready: str, told: bool) -> None:  # noqa: FBT001
        mirror = f"<mirror type='file' ready='{ready}'/></disk>"
        live = f"<domain><devices>{DISK.replace('</disk>', mirror)}</devices></domain>"

        assert snapshots.mirror_ready(live, "vda") is told
        assert snapshots.mirror_ready(live, "vdb") is False
