"""What a domain's document says about moving it, and the document of the moved one."""

from __future__ import annotations

from lxml import etree

from hypervisor.xml import migration

DOMAIN = """
<domain type='kvm'>
  <name>web1</name>
  <os><type arch='x86_64' machine='pc-q35-7.2'>hvm</type><nvram>/var/lib/libvirt/qemu/nvram/web1.fd</nvram></os>
  <cpu mode='custom'><model>EPYC</model></cpu>
  <devices>
    <disk type='file' device='disk'>
      <driver name='qemu' type='qcow2'/>
      <source file='/old/vda.qcow2' index='1'/>
      <backingStore type='file'><source file='/old/base.qcow2'/></backingStore>
      <target dev='vda' bus='virtio'/>
    </disk>
    <disk type='volume' device='disk'><source pool='default' volume='b'/><target dev='vdb' bus='virtio'/></disk>
    <disk type='file' device='cdrom'><target dev='sda' bus='sata'/></disk>
    <hostdev mode='subsystem' type='pci'><source/></hostdev>
    <interface type='network'><source network='default'/></interface>
    <interface type='hostdev'><source/></interface>
    <filesystem type='mount'><source dir='/srv'/></filesystem>
  </devices>
</domain>
"""


def disk(text: str, target: str) -> etree._Element:
    (found,) = etree.fromstring(text).xpath(f"devices/disk[target/@dev='{target}']")
    return found  # type: ignore[no-any-return]


class TestRelocated:
    def test_names_the_copy_and_no_longer_what_the_old_file_was_based_on(self) -> None:
        made = disk(migration.relocated(DOMAIN, {"vda": "/new/a & b.qcow2"}, flat=frozenset({"vda"})), "vda")

        assert [dict(source.attrib) for source in made.iterfind("source")] == [{"file": "/new/a & b.qcow2"}]
        assert [len(store) for store in made.iterfind("backingStore")] == [0]

    def test_turns_a_volume_into_a_file(self) -> None:
        made = disk(migration.relocated(DOMAIN, {"vdb": "/new/b"}, flat=frozenset()), "vdb")

        assert (made.get("type"), made.find("source").attrib) == ("file", {"file": "/new/b"})  # type: ignore[union-attr]

    def test_leaves_the_others_as_they_were(self) -> None:
        before, after = DOMAIN, migration.relocated(DOMAIN, {"vda": "/new"}, flat=frozenset({"vda"}))

        for target in ("vdb", "sda"):
            assert etree.tostring(disk(after, target), method="c14n2", strip_text=True) == etree.tostring(
                disk(before, target), method="c14n2", strip_text=True
            )


def test_what_is_the_hosts_own_is_named() -> None:
    assert migration.tied_devices(DOMAIN) == (
        "host device pci",
        "host network card",
        "shared folder",
    )


def test_the_cpu_is_told_with_whom_it_has_to_fit() -> None:
    cpu, *where = migration.cpu(DOMAIN)

    assert "EPYC" in cpu
    assert where == ["kvm", "x86_64", "pc-q35-7.2"]
    assert migration.cpu("<domain type='qemu'/>") == ("", "qemu", "", "")


def test_firmware_variables_are_seen() -> None:
    assert migration.has_nvram(DOMAIN)
    assert not migration.has_nvram("<domain/>")
