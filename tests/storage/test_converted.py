"""Disks of other systems: looked at in full, converted by the host, and nothing else of them kept."""

from __future__ import annotations

import io
import subprocess
import tarfile
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from core.errors import Conflict, InvalidInput
from hosts.connections import borrow
from hosts.models import Host
from hypervisor.specs import ImageFormat, VolumeSpec
from operations.models import OperationState
from storage import actions, inspection, inventory, ova
from storage.models import Pool, Upload, UploadState, Volume, VolumeKind
from storage.procedures.copies import checked_source
from storage.spool import path_of
from tests.conftest import Cast
from tests.lab.host import LabHost
from tests.stage import adopt, carry_out

MIB = 1024**2
GUEST = b"a word of the guest's" * 1000
ENVELOPE = """<Envelope xmlns="http://schemas.dmtf.org/ovf/envelope/1"
 xmlns:ovf="http://schemas.dmtf.org/ovf/envelope/1"
 xmlns:rasd="http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_ResourceAllocationSettingData">
 <References><File ovf:id="file1" ovf:href="{href}"/></References>
 <DiskSection>{disks}</DiskSection>
 <VirtualSystem ovf:id="vm"><VirtualHardwareSection>
  <Item><rasd:ResourceType>3</rasd:ResourceType><rasd:VirtualQuantity>2</rasd:VirtualQuantity></Item>
  <Item><rasd:AllocationUnits>byte * 2^20</rasd:AllocationUnits><rasd:ResourceType>4</rasd:ResourceType>
   <rasd:VirtualQuantity>1536</rasd:VirtualQuantity></Item>
  <Item><rasd:ResourceType>4</rasd:ResourceType><rasd:VirtualQuantity>-1</rasd:VirtualQuantity></Item>
 </VirtualHardwareSection></VirtualSystem></Envelope>"""
DISK = '<Disk ovf:diskId="d" ovf:fileRef="file1"/>'


@pytest.fixture
def pool(transactional_db: None, lab_host: LabHost) -> Any:
    host: Host = adopt(lab_host)
    yield Pool.objects.get(host=host, name="default")
    for path in lab_host.pool_path.iterdir():
        path.unlink()
    lab_host.virsh("pool-refresh", "default")


def made(folder: Path, kind: str, *options: str) -> bytes:
    """A disk of 8 MiB with the guest's words at its beginning, in a format of another system."""
    raw, image = folder / "raw", folder / f"image.{kind}"
    raw.write_bytes(GUEST.ljust(8 * MIB, b"\0"))
    subprocess.run(["qemu-img", "convert", "-O", kind, *options, str(raw), str(image)], check=True)
    return image.read_bytes()


def archive(*members: tuple[str, bytes], link: str = "") -> bytes:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, content in members:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
        if link:
            info = tarfile.TarInfo("link.vmdk")
            info.type, info.linkname = tarfile.SYMTYPE, link
            tar.addfile(info)
    return target.getvalue()


def described(href: str = "disk.vmdk", disks: str = DISK) -> bytes:
    return ENVELOPE.format(href=href, disks=disks).encode()


def brought(pool: Pool, cast: Cast, filename: str, content: bytes) -> Upload:
    upload = actions.begin_upload(
        pool=pool, filename=filename, size_bytes=len(content), fingerprint="", actor=cast.operator
    )
    path_of(upload.uuid).write_bytes(content)
    return upload


def shown(lab: LabHost, volume: Volume) -> bytes:
    """What a guest would see at the beginning of it."""
    target = lab.root / f"{uuid4()}.raw"
    lab.exec("qemu-img", "convert", "-f", volume.format, "-O", "raw", volume.path, str(target))
    try:
        return target.read_bytes()[: len(GUEST)]
    finally:
        target.unlink()


@pytest.mark.parametrize(
    ("kind", "options"), [("vmdk", ()), ("vmdk", ("-o", "subformat=streamOptimized")), ("vdi", ())]
)
def test_becomes_a_qcow2_disk(
    pool: Pool, cast: Cast, lab_host: LabHost, tmp_path: Path, kind: str, options: tuple[str, ...]
) -> None:
    upload = brought(pool, cast, f"old.{kind}", made(tmp_path, kind, *options))
    operation = actions.finish_upload(upload=upload, actor=cast.operator)
    assert operation is not None
    ended = carry_out(operation.pk)
    assert ended.state == OperationState.SUCCEEDED, ended.error
    volume = Volume.objects.present().get(label=f"old.{kind}")
    assert (volume.kind, volume.format, volume.capacity_bytes) == (VolumeKind.DISK, "qcow2", 8 * MIB)
    assert shown(lab_host, volume) == GUEST
    assert [path.name for path in lab_host.pool_path.iterdir()] == [volume.name]
    assert Upload.objects.get(pk=upload.pk).state == UploadState.STORED


def test_what_libvirt_has_not_looked_at_since_it_was_filled_is_no_other_format(
    pool: Pool, tmp_path: Path
) -> None:
    """It looks by itself a moment after an upload, and not at all while it makes another volume of the pool."""
    with borrow(pool.host) as hypervisor:
        spec = VolumeSpec(name="filled", format=ImageFormat.RAW, capacity_bytes=MIB)
        inventory.record_volume(pool, hypervisor.create_volume(pool.uuid, spec))
        volume = Volume.objects.get(name="filled")
        Path(volume.path).write_bytes(made(tmp_path, "vmdk"))
        assert hypervisor.read_volume(pool.uuid, "filled").format == "raw"

        assert checked_source(hypervisor, volume, "vmdk").format == "vmdk"
        with pytest.raises(Conflict, match="begin like vmdk"):
            checked_source(hypervisor, volume, "raw")


def test_an_ova_gives_its_disk_and_says_how_large_its_machine_was(
    pool: Pool, cast: Cast, lab_host: LabHost, tmp_path: Path
) -> None:
    disk = made(tmp_path, "vmdk", "-o", "subformat=streamOptimized")
    content = archive(("vm.ovf", described()), ("vm.mf", b"SHA256"), ("disk.vmdk", disk))
    operation = actions.finish_upload(upload=brought(pool, cast, "vm.ova", content), actor=cast.operator)
    assert operation is not None
    ended = carry_out(operation.pk)
    assert ended.state == OperationState.SUCCEEDED, ended.error
    volume = Volume.objects.present().get(label="vm.ova")
    assert volume.hints == {"vcpus": 2, "memory_mib": 1536}
    assert shown(lab_host, volume) == GUEST


def test_a_vmdk_whose_end_names_other_files_is_refused_before_the_host_sees_it(
    pool: Pool, cast: Cast, lab_host: LabHost, tmp_path: Path
) -> None:
    content = bytearray(made(tmp_path, "vmdk", "-o", "subformat=streamOptimized"))
    # A header in a footer, which is the one that counts for QEMU, tells of a descriptor elsewhere.
    footer = bytearray(content[:512])
    footer[28:36] = (64).to_bytes(8, "little")
    content[56:64] = b"\xff" * 8
    marker = bytes(12) + (3).to_bytes(4, "little") + bytes(496)
    content += marker + footer + bytes(512)
    upload = brought(pool, cast, "old.vmdk", bytes(content))
    operation = actions.finish_upload(upload=upload, actor=cast.operator)
    assert operation is not None
    ended = carry_out(operation.pk)
    assert (ended.state, ended.left_behind) == (OperationState.FAILED, "")
    assert "refers to other files" in ended.error
    assert list(lab_host.pool_path.iterdir()) == []
    assert not Volume.objects.present().exists()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (archive(("disk.vmdk", b"x" * 600)), "no description"),
        (archive(("a/vm.ovf", described())), "links, folders"),
        (archive(("../vm.ovf", described())), "links, folders"),
        (archive(("vm.ovf", described()), link="/etc/passwd"), "links, folders"),
        (archive(("vm.ovf", described()), ("vm.ovf", described())), "links, folders"),
        (archive(("vm.ovf", b"<!DOCTYPE x [<!ENTITY a 'b'>]><x>&a;</x>")), "can't be read"),
        (archive(("vm.ovf", b" " * (MIB + 1))), "over 1 MiB"),
        (archive(("vm.ovf", described(disks=DISK + DISK)), ("disk.vmdk", b"x")), "2 disks"),
        (archive(("vm.ovf", described(href="/etc/passwd")), ("disk.vmdk", b"x")), "not in it"),
        (archive(("vm.ovf", described()), *((f"{n}", b"") for n in range(70))), "more than 64"),
        (archive(("vm.ovf", described()), ("disk.vmdk", b"x" * 4096)), "can't be used|neither an ISO"),
        (archive(("vm.ovf", described()), ("disk.vmdk", b"x" * 4096))[:3000], "damaged|not in it"),
    ],
)
def test_hostile_archives_are_refused(tmp_path: Path, content: bytes, words: str) -> None:
    file = tmp_path / "vm.ova"
    file.write_bytes(content)
    with pytest.raises(InvalidInput, match=words) as refused:
        inspection.inspect_file(file, filename="vm.ova", size_bytes=len(content))
    assert refused.value.field == "file"


def test_numbers_nobody_can_have_are_no_hints(tmp_path: Path) -> None:
    text = described().decode().replace(">2<", ">99999999<").replace(">1536<", ">9999999999999<")
    file = tmp_path / "vm.ova"
    file.write_bytes(archive(("vm.ovf", text.encode()), ("disk.vmdk", b"x")))
    assert ova.look_into(file).hints == {}


def test_a_text_that_names_other_files_is_no_disk(tmp_path: Path) -> None:
    text = b'# Disk DescriptorFile\nversion=1\ncreateType="monolithicFlat"\nRW 8 FLAT "/etc/passwd" 0\n'
    with pytest.raises(InvalidInput):
        inspection.inspect(text.ljust(4096, b"\n"), filename="old.vmdk", size_bytes=4096)
