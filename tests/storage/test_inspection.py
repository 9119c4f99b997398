"""Every kind of file is told by its bytes; those that lie about themselves are refused in words."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.errors import InvalidInput
from storage import qcow2
from storage.inspection import inspect
from storage.models import VolumeKind
from tests.storage import files

MIB = 1024**2


def refusal(content: bytes, filename: str, size: int | None = None) -> str:
    with pytest.raises(InvalidInput) as refused:
        inspect(content[:MIB], filename=filename, size_bytes=size or len(content))
    assert refused.value.field == "file"
    return refused.value.message


def udf() -> bytes:
    content = bytearray(MIB)
    for sector, mark in enumerate((b"BEA01", b"NSR03", b"TEA01"), start=16):
        content[sector * 2048 : sector * 2048 + 7] = b"\x00" + mark + b"\x01"
    return bytes(content)


@pytest.mark.parametrize("content", [files.iso(MIB), files.iso(2 * MIB, promises=MIB), udf()])
def test_iso_images(content: bytes) -> None:
    found = inspect(content[:MIB], filename="x.iso", size_bytes=len(content))
    assert (found.kind, found.format, found.capacity_bytes) == (VolumeKind.ISO, "raw", len(content))


def test_an_iso_that_boots_from_a_stick_is_one() -> None:
    content = bytearray(files.iso(MIB))
    content[446:462] = bytes([0x80, 0, 1, 0, 0x17, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0, 0, 8, 0, 0])
    content[510:512] = b"\x55\xaa"
    assert inspect(bytes(content), filename="x.iso", size_bytes=MIB).kind == VolumeKind.ISO


def test_an_iso_cut_short() -> None:
    assert "cut short" in refusal(files.iso(MIB, promises=2 * MIB), "x.iso")
    assert "too short" in refusal(bytes(1000), "x.iso")
    assert "damaged" in refusal(files.iso(MIB)[: 16 * 2048 + 100], "x.iso")


def test_what_is_no_iso() -> None:
    assert "no ISO image in it" in refusal(bytes(MIB), "x.iso")
    assert "neither" in refusal(b"hello" * 1000, "notes.txt")


@pytest.mark.parametrize("kind", ["qcow2", "vmdk", "vdi", "vhdx"])
def test_another_format_in_disguise(tmp_path: Path, kind: str) -> None:
    content = files.image(tmp_path, kind)
    assert kind in refusal(content, "debian.iso")
    if kind == "vhdx":
        assert kind in refusal(content, f"debian.{kind}")


def test_two_formats_at_once(tmp_path: Path) -> None:
    head = files.image(tmp_path, "qcow2")[:512]
    assert "several formats at once" in refusal(head + files.iso(MIB)[512:], "x.iso")
    assert "same time" in refusal(head + udf()[512:], "x.iso")


def test_disk_images(tmp_path: Path) -> None:
    content = files.image(tmp_path, "qcow2", size="3G")
    found = inspect(content[:MIB], filename="x.qcow2", size_bytes=len(content))
    assert (found.kind, found.format, found.capacity_bytes) == (VolumeKind.DISK, "qcow2", 3 * 1024**3)
    found = inspect(bytes(MIB), filename="x.img", size_bytes=MIB)
    assert (found.kind, found.format) == (VolumeKind.DISK, "raw")
    assert "512" in refusal(bytes(1000), "x.img")


def test_a_disk_image_that_refers_to_other_files(tmp_path: Path) -> None:
    for options in (["-b", "/etc/passwd", "-F", "raw"], ["-o", f"data_file={tmp_path}/other.raw"]):
        assert "other files" in refusal(files.image(tmp_path, "qcow2", *options), "x.qcow2")


def test_a_disk_in_it_that_is_larger_than_anything(tmp_path: Path) -> None:
    content = bytearray(files.image(tmp_path, "qcow2"))
    content[24:32] = (2**62).to_bytes(8, "big")
    assert "larger than 64 TiB" in refusal(bytes(content), "x.qcow2")


def test_a_header_is_read_as_qemu_img_reads_it(tmp_path: Path) -> None:
    modern = files.image(tmp_path, "qcow2", "-o", "cluster_size=128k,lazy_refcounts=on,refcount_bits=8")
    told = qcow2.details(modern[: qcow2.HEADER_BYTES])
    assert told["compat"] == "1.1"
    assert told["cluster_bytes"] == 128 * 1024
    assert told["refcount_bits"] == 8
    assert told["features"] == ["lazy refcounts"]
    old = qcow2.details(files.image(tmp_path, "qcow2", "-o", "compat=0.10"))
    assert (old["compat"], old["refcount_bits"]) == ("0.10", 16)
    assert qcow2.details(b"no image") == {}
    assert qcow2.details(b"QFI\xfb" + b"\xff" * 100)["cluster_bytes"] == 2**21
