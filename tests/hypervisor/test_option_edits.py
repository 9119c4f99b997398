"""Each edit of an option changes that option and nothing else, in every document that libvirt tests itself with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from hypervisor.errors import HypervisorError, Invalid, NotFound, Unsupported
from hypervisor.facts import DomainFacts, OptionFacts
from hypervisor.xml import build, edit_label, edit_size, edit_start
from hypervisor.xml.elements import MARKER_TAG, Element, document, serialize
from hypervisor.xml.options import option_facts
from tests.hypervisor import corpus
from tests.hypervisor.specimens import INSTALLING, UEFI
from tests.hypervisor.test_documents import read, words

XML = build.domain_xml(INSTALLING)
LEAST_DOCUMENTS = 1000
Edit = Callable[[str], str]


def options(xml: str) -> OptionFacts:
    return option_facts(document(xml))


def shape(xml: str, *, without: tuple[str, ...]) -> list[str]:
    """Every element with its attributes and text, in order, but for the subtrees of these paths."""
    root = document(xml)
    for path in without:
        attribute = path.partition("@")[2]
        for found in root.findall(path.partition("/@")[0]) if attribute else root.findall(path):
            parent = found.getparent()
            if attribute:
                found.attrib.pop(attribute, None)
            elif parent is not None:
                parent.remove(found)
    return [_line(node) for node in root.iter()]


def _line(node: Element) -> str:
    if not isinstance(node.tag, str):  # a comment
        return (node.text or "").strip()
    attributes = sorted((str(name), str(value)) for name, value in node.attrib.items())
    return f"{node.getroottree().getpath(node)} {attributes} {(node.text or '').strip()}"


# An edit that changes something nearly everywhere, and what of the document is its own to change.
EDITS: dict[str, tuple[Edit, tuple[str, ...]]] = {
    "cpu": (
        partial(edit_size.set_cpu, vcpus=3, vcpus_max=6, cpu="Nehalem", sockets=1, cores=3, threads=2),
        ("vcpu", "vcpus", "cpu/model", "cpu/vendor", "cpu/topology", "cpu/@mode", "cpu/@match", "cpu/@check")
        + ("cpu/@migratable",),
    ),
    "memory": (
        partial(edit_size.set_memory, memory_mib=77, memory_max_mib=99),
        ("memory", "currentMemory"),
    ),
    "firmware": (
        partial(edit_start.set_firmware, firmware="uefi-secure", nvram="x_VARS.fd"),
        ("os/@firmware", "os/firmware", "os/loader", "os/nvram", "features/smm"),
    ),
    "no firmware": (
        partial(edit_start.set_firmware, firmware="bios", nvram=""),
        ("os/@firmware", "os/firmware", "os/loader", "os/nvram"),
    ),
    "tpm": (partial(edit_start.set_tpm, tpm=True), ("devices/tpm",)),
    "no tpm": (partial(edit_start.set_tpm, tpm=False), ("devices/tpm",)),
    "clock": (
        partial(edit_start.set_clock, clock="Europe/Berlin"),
        tuple(f"clock/@{name}" for name in ("offset", "timezone", "adjustment", "basis", "start")),
    ),
    "label": (
        partial(edit_label.set_labels, title="T", description="<D>", tags=["a & b"]),
        ("title", "description", f"metadata/{MARKER_TAG}"),
    ),
}
# What an edit may have to make so that its own part has a place.
FRAMES = ("features", "metadata", "clock", "cpu")


class TestInEveryDocument:
    @pytest.mark.parametrize("name", list(EDITS))
    def test_nothing_else_changes(self, name: str) -> None:
        edit, own = EDITS[name]
        edited = 0
        for file, xml in corpus.documents().items():
            try:
                after = edit(xml)
            except HypervisorError:
                continue
            edited += 1
            empty = tuple(
                frame for frame in FRAMES if not len(etree.fromstring(xml.encode()).findall(f"{frame}/*"))
            )
            assert shape(after, without=own + empty) == shape(xml, without=own + empty), file
            assert edit(after) == after, f"{file}: twice is not once"
        assert edited > LEAST_DOCUMENTS * 0.9

    def test_the_boot_order_alone_changes(self) -> None:
        own = ("os/boot", *(f"devices/{kind}/boot" for kind in ("disk", "interface", "hostdev", "redirdev")))
        edited = 0
        for file, xml in corpus.documents().items():
            wanted = tuple(dict.fromkeys(reversed(options(xml).bootable)))
            after = edit_start.set_boot_order(xml, devices=wanted)
            assert shape(after, without=own) == shape(xml, without=own), file
            assert options(after).boot == wanted, file
            assert edit_start.set_boot_order(after, devices=wanted) == after
            edited += bool(wanted)
        assert edited > LEAST_DOCUMENTS * 0.5

    def test_what_is_so_already_stays_as_it_is_written(self) -> None:
        for file, xml in corpus.documents().items():
            now, plain = options(xml), serialize(document(xml))
            assert edit_start.set_clock(xml, clock=now.clock) == plain, file
            assert edit_start.set_firmware(xml, firmware=now.firmware, nvram="x") == plain, file
            if len(set(now.bootable)) == len(now.bootable):  # two of one name are refused by libvirt
                assert edit_start.set_boot_order(xml, devices=now.boot) == plain, file

    def test_there_are_many(self) -> None:
        assert len(corpus.documents()) >= LEAST_DOCUMENTS


class TestCpu:
    @given(vcpus=st.integers(1, 512), more=st.integers(0, 8))
    def test_numbers_come_back(self, vcpus: int, more: int) -> None:
        after = options(edit_size.set_cpu(XML, vcpus=vcpus, vcpus_max=vcpus + more, cpu=""))

        assert (after.vcpus, after.vcpus_max) == (vcpus, vcpus + more)

    @pytest.mark.parametrize("cpu", ["", "host-model", "host-passthrough", "maximum", "EPYC"])
    @pytest.mark.parametrize("before", ["", "host-passthrough", "Nehalem"])
    def test_any_model_follows_any(self, before: str, cpu: str) -> None:
        count = {"vcpus": 4, "vcpus_max": 4, "sockets": 1, "cores": 2, "threads": 2}
        start = edit_size.set_cpu(XML, cpu=before, **count)

        after = edit_size.set_cpu(start, cpu=cpu, **count)

        assert options(after).cpu == cpu
        assert (options(after).sockets, options(after).cores, options(after).threads) == (1, 2, 2)
        assert edit_size.set_cpu(XML, cpu="", vcpus=2, vcpus_max=2) == edit_size.set_cpu(
            after, cpu="", vcpus=2, vcpus_max=2
        )

    def test_what_people_asked_of_the_old_model_stays(self) -> None:
        start = edit_size.set_cpu(XML, vcpus=2, vcpus_max=2, cpu="host-model")
        start = start.replace(
            'mode="host-model"/>', 'mode="host-model"><feature policy="disable" name="vmx"/></cpu>'
        )

        after = edit_size.set_cpu(start, vcpus=2, vcpus_max=2, cpu="host-passthrough")

        assert document(after).find("cpu/feature[@name='vmx']") is not None

    def test_a_record_of_each_vcpu_goes_with_their_number(self) -> None:
        start = XML.replace("<vcpu>2</vcpu>", "<vcpu>2</vcpu><vcpus><vcpu id='0' enabled='yes'/></vcpus>")

        assert document(edit_size.set_cpu(start, vcpus=2, vcpus_max=2, cpu="")).find("vcpus") is not None
        assert document(edit_size.set_cpu(start, vcpus=1, vcpus_max=2, cpu="")).find("vcpus") is None

    @pytest.mark.parametrize(("vcpus", "maximum"), [(0, 1), (-1, 1), (3, 2)])
    def test_nonsense_is_refused(self, vcpus: int, maximum: int) -> None:
        with pytest.raises(Invalid):
            edit_size.set_cpu(XML, vcpus=vcpus, vcpus_max=maximum, cpu="")
        with pytest.raises(Invalid):
            edit_size.set_memory(XML, memory_mib=vcpus, memory_max_mib=maximum)

    def test_a_topology_is_that_of_the_maximum(self) -> None:
        with pytest.raises(Invalid, match="topology"):
            edit_size.set_cpu(XML, vcpus=2, vcpus_max=4, cpu="", sockets=1, cores=2, threads=1)


class TestMemory:
    @given(memory_mib=st.integers(1, 2**40), more=st.integers(0, 2**20))
    def test_comes_back(self, memory_mib: int, more: int) -> None:
        after = options(edit_size.set_memory(XML, memory_mib=memory_mib, memory_max_mib=memory_mib + more))

        assert (after.memory_mib, after.memory_max_mib) == (memory_mib, memory_mib + more)

    def test_of_numa_cells_is_left_alone(self) -> None:
        cells = XML.replace(
            "<features>", "<cpu><numa><cell id='0' cpus='0-1' memory='8' unit='MiB'/></numa></cpu><features>"
        )

        with pytest.raises(Unsupported, match="NUMA"):
            edit_size.set_memory(cells, memory_mib=64, memory_max_mib=64)


class TestStart:
    def test_a_device_goes_before_all_others(self) -> None:
        card = "52:54:00:5f:1f:2d"
        assert options(XML).boot == ("vda", "sda", card)

        assert options(edit_start.boot_first(XML, device=card.upper())).boot == (card, "vda", "sda")
        assert options(edit_start.boot_first(XML, device="sda")).boot == ("sda", "vda", card)
        with pytest.raises(NotFound):
            edit_start.boot_first(XML, device="vdz")

    def test_a_stick_of_the_host_keeps_its_place_behind(self) -> None:
        stick = "<hostdev mode='subsystem' type='usb'><boot order='1'/></hostdev></devices>"

        after = edit_start.set_boot_order(XML.replace("</devices>", stick), devices=["sda"])

        assert document(after).find("devices/hostdev/boot[@order='2']") is not None

    def test_firmware_gets_a_file_of_its_own_for_variables(self) -> None:
        folder = "<nvram>/srv/vars/a_VARS.fd</nvram></os>"
        old = build.domain_xml(UEFI).replace("</os>", folder)

        after = document(edit_start.set_firmware(old, firmware="uefi-secure", nvram="b_VARS.fd"))

        assert after.findtext("os/nvram") == "/srv/vars/b_VARS.fd"
        assert after.find("features/smm[@state='on']") is not None

    def test_the_hosts_own_tpm_is_left_alone(self) -> None:
        own = XML.replace("</devices>", "<tpm model='tpm-tis'><backend type='passthrough'/></tpm></devices>")

        for tpm in (True, False):
            with pytest.raises(Unsupported):
                edit_start.set_tpm(own, tpm=tpm)

    def test_a_clock_keeps_its_timers(self) -> None:
        start = build.domain_xml(UEFI)

        for clock in ("localtime", "Europe/Berlin", "utc"):
            after = document(edit_start.set_clock(start, clock=clock))
            assert options(serialize(after)).clock == clock
            assert len(after.findall("clock/timer")) == len(document(start).findall("clock/timer"))


class TestLabels:
    @given(title=words, description=words, tags=st.lists(words.filter(str.strip), max_size=3))
    def test_come_back(self, title: str, description: str, tags: list[str]) -> None:
        for start in (XML, build.domain_xml(replace(UEFI, marker="", title="", description=""))):
            facts: DomainFacts = read(
                edit_label.set_labels(start, title=title, description=description, tags=tags)
            )
            assert (facts.title, facts.description) == (title, description)
            assert facts.tags == (tuple(tags) if tags else None)

    def test_all_tags_can_go(self) -> None:
        some = edit_label.set_labels(XML, title="", description="", tags=["a"])

        assert read(edit_label.set_labels(some, title="", description="", tags=[])).tags == ()

    def test_the_mark_of_our_own_machines_stays(self) -> None:
        after = read(edit_label.set_labels(XML, title="x", description="y", tags=["a"]))

        assert after.marker == INSTALLING.marker
