"""What differs between two definitions, in words."""

from __future__ import annotations

import tracemalloc

import pytest

from hypervisor.errors import Invalid
from hypervisor.xml.differences import MOST_LINES, MOST_WORDS, TOO_MUCH, differences, line_differences
from hypervisor.xml.leaves import carries

XML = """\
<domain type='kvm'>
  <name>web1</name>
  <uuid>5f1f2d0e-6a2b-4b0e-9d65-0d8f3c1f5a10</uuid>
  <description>the shop</description>
  <memory unit='KiB'>524288</memory>
  <currentMemory unit='KiB'>524288</currentMemory>
  <vcpu placement='static'>1</vcpu>
  <os><type arch='x86_64' machine='pc-q35-7.2'>hvm</type><boot dev='hd'/></os>
  <features><acpi/><apic/></features>
  <cpu mode='host-model'/>
  <clock offset='utc'><timer name='rtc' tickpolicy='catchup'/><timer name='hpet' present='no'/></clock>
  <devices>
    <emulator>/usr/bin/qemu-system-x86_64</emulator>
    <disk type='file' device='disk'>
      <driver name='qemu' type='qcow2'/>
      <source file='/pool/a.qcow2'/>
      <target dev='vda' bus='virtio'/>
      <address type='pci' domain='0x0000' bus='0x04' slot='0x00' function='0x0'/>
    </disk>
    <disk type='file' device='cdrom'><source file='/pool/a.iso'/><target dev='sda' bus='sata'/></disk>
    <controller type='usb' index='0' model='qemu-xhci'/>
    <interface type='network'>
      <mac address='52:54:00:00:00:01'/><source network='default'/><model type='virtio'/>
    </interface>
    <serial type='pty'><target port='0'/></serial>
    <input type='tablet' bus='usb'/>
    <graphics type='vnc' port='-1' autoport='yes' passwd='hunter2'/>
    <video><model type='vga'/></video>
    <rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>
    <rng model='virtio'><backend model='random'>/dev/random</backend></rng>
  </devices>
</domain>
"""
NIC = "<mac address='52:54:00:00:00:01'/><source network='default'/>"
HOSTDEV = (
    "<hostdev mode='subsystem' type='pci' managed='yes'><source>"
    "<address domain='0x0000' bus='0x03' slot='0x00' function='0x1'/></source></hostdev>"
)


def changed(old: str, new: str) -> list[str]:
    assert old in XML
    return differences(XML, XML.replace(old, new))


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("524288", "1048576", ["memory: 512 MiB → 1024 MiB"]),
        (
            "524288</memory>",
            "1048576</memory>",
            ["memory at most: 512 MiB → 1024 MiB"],
        ),
        ("524288</currentMemory>", "262144</currentMemory>", ["memory at start: 512 MiB → 256 MiB"]),
        ("524288", "524289", ["memory: 512 MiB → 524289 KiB"]),
        ("'static'>1<", "'static'>4<", ["vCPUs: 1 → 4"]),
        ("pc-q35-7.2", "pc-q35-8.2", ["machine type: pc-q35-7.2 → pc-q35-8.2"]),
        ("'host-model'", "'host-passthrough'", ["CPU mode: host-model → host-passthrough"]),
        ("the shop", "the other shop", ["description: the shop → the other shop"]),
        ("the shop", "two\nlines", ["description changed"]),
        ("<apic/>", "", ["features apic removed"]),
        ("<apic/>", "<apic/><pae/>", ["features pae added"]),
        ("'catchup'", "'delay'", ["clock timer[rtc] tickpolicy: catchup → delay"]),
        ("offset='utc'", "offset='localtime'", ["clock: utc → localtime"]),
        ("passwd='hunter2'", "passwd='other'", ["VNC screen: passwd changed"]),
        ("passwd='hunter2'", "", ["VNC screen: passwd removed"]),
        ("type='qcow2'/>", "type='qcow2' cache='none'/>", ["disk vda: driver cache added (none)"]),
        ("/pool/a.iso", "/pool/b.iso", ["CD-ROM drive sda changed from /pool/a.iso to /pool/b.iso"]),
        ("<source file='/pool/a.iso'/>", "", ["CD-ROM drive sda changed from /pool/a.iso to nothing"]),
        ("bus='0x04'", "bus='0x05'", ["disk vda: address changed"]),
        (
            f"type='network'>\n      {NIC}",
            "type='bridge'>\n      <mac address='52:54:00:00:00:01'/><source bridge='br0'/>",
            ["network card 52:54:00:00:00:01 moved from network default to bridge br0"],
        ),
        (
            "52:54:00:00:00:01",
            "52:54:00:00:00:02",
            [
                "network card 52:54:00:00:00:01 removed (network default)",
                "network card 52:54:00:00:00:02 added (network default)",
            ],
        ),
        (
            "    <controller",
            "    <disk type='file'><source file='/pool/b'/><target dev='vdb'/></disk>\n<controller",
            ["disk vdb added (/pool/b)"],
        ),
        ("    <controller", f"    {HOSTDEV}\n<controller", ["host device 0000:03:00.1 added"]),
        ("<input type='tablet' bus='usb'/>", "", ["usb tablet removed"]),
        ("/dev/random<", "/dev/hwrng<", ["random number generator: backend: /dev/random → /dev/hwrng"]),
        ("qemu-xhci", "nec-xhci", ["controller usb 0: model: qemu-xhci → nec-xhci"]),
    ],
)
def test_says_what_changed(old: str, new: str, words: list[str]) -> None:
    assert changed(old, new) == words


@pytest.mark.parametrize(
    "same",
    [
        XML.replace("\n", "\n  "),
        XML.replace("'", '"'),
        XML.replace("unit='KiB'>524288", "unit='MiB'>512"),
        XML.replace(" unit='KiB'", ""),
        XML.replace("<name>", "<!-- a word --><name>"),
        XML.replace("  <currentMemory unit='KiB'>524288</currentMemory>\n", ""),
    ],
)
def test_layout_and_units_are_no_difference(same: str) -> None:
    assert differences(XML, same) == []


def test_never_tells_a_secret() -> None:
    told = " ".join(changed("hunter2", "swordfish"))
    lines = line_differences(XML, XML.replace("hunter2", "swordfish"))
    assert lines is not None
    text = told + " ".join(line.text for line in lines)
    assert "hunter2" not in text
    assert "swordfish" not in text
    assert [line.mark for line in lines if "passwd" in line.text] == ["-", "+"]


def test_says_no_more_than_a_person_reads() -> None:
    many = "".join(f"<disk><target dev='vd{n}'/></disk>" for n in range(500))
    words = changed("    <controller", f"{many}<controller")
    assert len(words) == MOST_WORDS + 1
    assert words[-1] == "and more"


def test_does_not_compare_the_lines_of_what_a_host_made_endless() -> None:
    many = "".join(f"<a n='{n}'/>\n" for n in range(MOST_LINES))
    assert line_differences(XML, XML.replace("<name>", f"{many}<name>")) is None


def test_lines_that_stay_are_left_out() -> None:
    lines = line_differences(XML, XML.replace("'catchup'", "'delay'"))
    assert lines is not None
    assert [line.mark for line in lines] == ["@", " ", " ", " ", "-", "+", " ", " ", " "]


def test_a_document_that_is_none_is_refused() -> None:
    with pytest.raises(Invalid):
        differences(XML, "<domain>")


class TestWhetherAChangeIsThere:
    """After a worker died, nothing else tells whether it had defined what was asked for."""

    WANTED = XML.replace("524288", "1048576").replace("<apic/>", "")

    def test_it_is_where_all_of_it_is(self) -> None:
        assert carries(XML, self.WANTED, self.WANTED)

    def test_it_is_also_where_libvirt_added_what_it_always_adds(self) -> None:
        added = self.WANTED.replace("<acpi/>", "<acpi/><vmport state='off'/>").replace(
            "KiB'>1048576", "MiB'>1024"
        )
        assert carries(XML, self.WANTED, added)

    def test_it_is_not_where_something_is_as_before(self) -> None:
        assert not carries(XML, self.WANTED, XML)
        assert not carries(XML, self.WANTED, XML.replace("524288", "1048576"))
        assert not carries(XML, self.WANTED, XML.replace("<apic/>", ""))

    def test_it_is_not_where_somebody_else_changed_another_thing(self) -> None:
        assert not carries(XML, self.WANTED, XML.replace("the shop", "mine"))


def nested(depth: int, name: str, inner: str) -> str:
    return f"<{name}>" * depth + inner + f"</{name}>" * depth


@pytest.mark.parametrize(
    "hostile",
    [
        f"<metadata>{nested(180, 'x' * 1900, '<a/>' * 20_000)}</metadata>",
        f"<metadata><x name='{'y' * 100_000}'><b/></x><x name='z'>{'<a/>' * 9_000}</x></metadata>",
        "<metadata>" + "<a/>" * 200_000 + "</metadata>",
        "<devices>" + "<a/>" * 200_000 + "</devices>",
        "<metadata><a " + " ".join(f"b{n}='1'" for n in range(40_000)) + "/></metadata>",
    ],
)
def test_what_a_host_made_to_hurt_costs_no_memory(hostile: str) -> None:
    xml = f"<domain>{hostile}</domain>"
    tracemalloc.start()
    try:
        assert differences("<domain/>", xml) == differences(xml, "<domain/>") == [TOO_MUCH]
        assert not carries("<domain/>", xml, xml)
        assert tracemalloc.get_traced_memory()[1] < 100 * 1024**2
    finally:
        tracemalloc.stop()
