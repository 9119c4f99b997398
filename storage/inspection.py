"""What a file that somebody brought really is, told by its bytes; its name only says what it was meant to be.

The first mebibyte is enough: so a file is refused when it begins to arrive, not after its last byte.
"""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import BinaryIO

from oslo_utils.imageutils.format_inspector import (
    FileInspector,
    ImageFormatError,
    InspectWrapper,
    SafetyCheckFailed,
    VDIInspector,
    VMDKInspector,
)

from core.errors import InvalidInput
from core.units import MIB, TIB, human_bytes
from hypervisor.specs import ImageFormat
from storage import ova
from storage.models import VolumeKind
from storage.spool import HEAD_BYTES

MAX_DISK_BYTES = 64 * TIB
SECTOR = 2048
# ECMA-119 §6.2.1 and ECMA-167 §2/8.3: volume descriptors begin at sector 16.
FIRST_DESCRIPTOR = 16 * SECTOR
PRIMARY = 1
# What else an ISO image may be at the same time: bootable from a stick, it begins with a partition table.
HYBRID = frozenset({"iso", "gpt", "raw"})
# Disks of other systems that hosts convert.
FOREIGN: dict[str, type[FileInspector]] = {"vmdk": VMDKInspector, "vdi": VDIInspector}
BLOCK_BYTES = MIB
RAW_NAMES = (".img", ".raw")


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """What it is; `capacity_bytes` is what a guest will see of it.

    A disk `brought_as` another format ("vmdk", "vdi") has to be converted to `format`. Its bytes are `size_bytes` long
    from `offset` on: in an archive others are around it. `hints` say how large its machine was.
    """

    kind: VolumeKind
    format: ImageFormat
    capacity_bytes: int
    brought_as: str = ""
    offset: int = 0
    size_bytes: int = 0
    hints: dict[str, int] = field(default_factory=dict)


def inspect_file(path: Path, *, filename: str, size_bytes: int) -> Content:
    """`inspect` for a file of which at least the first HEAD_BYTES, or all, are there."""
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    if ova.is_tar(head) and path.stat().st_size >= size_bytes:
        return _archived(path)
    return inspect(head, filename=filename, size_bytes=size_bytes)


def check_whole(file: BinaryIO, content: Content) -> None:
    """Read all of a disk that is to be converted. Raises InvalidInput where it would make QEMU open another file.

    A VMDK may tell at its end of other files than at its beginning; `file` stands at the disk's first byte.
    """
    inspector = FOREIGN[content.brought_as]()
    left = content.size_bytes
    while left and (block := file.read(min(BLOCK_BYTES, left))):
        left -= len(block)
        try:
            inspector.eat_chunk(block)
        except ImageFormatError:
            raise _refuse(
                f"This {content.brought_as} image is damaged.", "Upload it again, in full."
            ) from None
    inspector.finish()
    _safe(inspector, content.brought_as)


def _archived(path: Path) -> Content:
    """The disk in an OVA."""
    found = ova.look_into(path)
    with path.open("rb") as file:
        file.seek(found.offset)
        head = file.read(min(HEAD_BYTES, found.size_bytes))
    content = inspect(head, filename=found.filename, size_bytes=found.size_bytes)
    if not content.brought_as:
        raise _refuse("The disk in it is no VMDK or VDI image.", ova.FIX)
    return replace(content, offset=found.offset, hints=found.hints)


def inspect(head: bytes, *, filename: str, size_bytes: int) -> Content:
    """What a file of `size_bytes` that begins with `head` is.

    Raises InvalidInput (field `file`) where it is nothing we take, pretends, is cut short, or would make QEMU open
    another file (CVE-2022-47951, CVE-2024-32498).
    """
    if ova.is_tar(head):
        # What is in it is known when all of it is here.
        return Content(
            kind=VolumeKind.DISK, format=ImageFormat.QCOW2, capacity_bytes=size_bytes, brought_as="vmdk"
        )
    found = _formats(head)
    names = set(found)
    if names - HYBRID and len(names) > 1:
        raise _refuse(f"It claims to be several formats at once: {', '.join(sorted(names))}.")
    if _is_optical(head):
        if names - HYBRID:
            raise _refuse(f"It is a {names.pop()} file that looks like an ISO image at the same time.")
        return _optical(head, size_bytes)
    if filename.lower().endswith(".iso"):
        raise _refuse(_not_optical(names, size_bytes))
    if names == {"qcow2"}:
        return _qcow2(found["qcow2"])
    if len(names) == 1 and names <= FOREIGN.keys():
        return _foreign(found, size_bytes)
    if filename.lower().endswith(RAW_NAMES) and names <= {"raw", "gpt"}:
        if size_bytes % 512:
            raise _refuse("A raw disk image is a multiple of 512 bytes long.", "Upload it again, in full.")
        return Content(kind=VolumeKind.DISK, format=ImageFormat.RAW, capacity_bytes=size_bytes)
    raise _refuse(
        _unknown(names),
        "Upload an ISO image (.iso), or a disk image: qcow2, VMDK, VDI, OVA, or raw (.img, .raw).",
    )


def _formats(head: bytes) -> dict[str, FileInspector]:
    wrapper = InspectWrapper(io.BytesIO(head))
    while wrapper.read(65536):
        pass
    wrapper.close()
    return {str(inspector): inspector for inspector in wrapper.formats or []}


def _is_optical(head: bytes) -> bool:
    """ISO 9660 (`CD001`), or UDF alone, whose recognition area begins with `BEA01` (ECMA-167 §2/9.1)."""
    return head[FIRST_DESCRIPTOR + 1 : FIRST_DESCRIPTOR + 6] in (b"CD001", b"BEA01", b"NSR02", b"NSR03")


def _optical(head: bytes, size_bytes: int) -> Content:
    descriptor = head[FIRST_DESCRIPTOR : FIRST_DESCRIPTOR + SECTOR]
    if descriptor[1:6] == b"CD001":
        if len(descriptor) < SECTOR or descriptor[0] != PRIMARY:
            raise _refuse("Its volume descriptor is damaged.", "Upload it again, in full.")
        # ECMA-119 §8.4.8, §8.4.12: number of logical blocks, and how large one is.
        (blocks,) = struct.unpack_from("<I", descriptor, 80)
        (block_size,) = struct.unpack_from("<H", descriptor, 128)
        promised = blocks * block_size
        if promised > size_bytes:
            raise _refuse(
                f"It is cut short: by its own account it has {human_bytes(promised)}, "
                f"and the file has {human_bytes(size_bytes)}.",
                "Download it again, check its checksum, then upload it.",
            )
    return Content(kind=VolumeKind.ISO, format=ImageFormat.RAW, capacity_bytes=size_bytes)


def _not_optical(names: set[str], size_bytes: int) -> str:
    if names - {"raw", "gpt"}:
        return f"It is called .iso, but it is a {names.pop()} file."
    if size_bytes < FIRST_DESCRIPTOR + SECTOR:
        return "It is too short for an ISO image."
    return "It is called .iso, but there is no ISO image in it."


def _qcow2(image: FileInspector) -> Content:
    _safe(image, "qcow2")
    if not 0 < image.virtual_size <= MAX_DISK_BYTES:
        raise _refuse(f"The disk in it is larger than {human_bytes(MAX_DISK_BYTES)}, or empty.")
    return Content(kind=VolumeKind.DISK, format=ImageFormat.QCOW2, capacity_bytes=image.virtual_size)


def _foreign(found: dict[str, FileInspector], size_bytes: int) -> Content:
    """One that the host converts; what only its end tells is looked at by `check_whole`."""
    [(name, image)] = found.items()
    if name == "vmdk" and not image.has_region("header"):
        raise _refuse(
            "This VMDK only names other files.", "Upload one file: monolithicSparse or streamOptimized."
        )
    if not 0 < image.virtual_size <= MAX_DISK_BYTES:
        raise _refuse(f"The disk in it is larger than {human_bytes(MAX_DISK_BYTES)}, or empty.")
    return Content(
        kind=VolumeKind.DISK,
        format=ImageFormat.QCOW2,
        capacity_bytes=image.virtual_size,
        brought_as=name,
        size_bytes=size_bytes,
    )


def _safe(image: FileInspector, name: str) -> None:
    try:
        image.safety_check()
    except (SafetyCheckFailed, ImageFormatError):
        raise _refuse(
            f"This {name} image refers to other files, or has features that can't be checked.",
            f"Make it whole first: qemu-img convert -O {name} OLD NEW",
        ) from None


def _unknown(names: set[str]) -> str:
    known = names - {"raw", "gpt"}
    return f"{known.pop()} files can't be used." if known else "This is neither an ISO nor a disk image."


def _refuse(message: str, fix: str = "") -> InvalidInput:
    return InvalidInput(message, field="file", fix=fix)
