"""OVA archives (DMTF DSP0243): a tar with a description of a machine and its disks. Nothing is unpacked.

What stands in one was written by anybody: the archive is only walked from header to header, and of the description
only a few numbers and the name of a member are believed.
"""

from __future__ import annotations

import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from core.errors import InvalidInput
from hypervisor.errors import Invalid
from hypervisor.xml.elements import DOCUMENT_LIMIT_BYTES, Element, document

MAGIC_AT: Final = 257
_MOST_MEMBERS: Final = 64
_ENVELOPE: Final = "http://schemas.dmtf.org/ovf/envelope/1"
_RESOURCES: Final = "http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_ResourceAllocationSettingData"
# CIM's numbers for what a machine consists of.
_CPU, _MEMORY = "3", "4"
# How many MiB each of these is; others are not believed.
_UNITS: Final = {"byte*2^20": 1, "megabytes": 1, "mb": 1, "byte*2^30": 1024, "gigabytes": 1024, "": 1}
_MOST_VCPUS: Final = 1024
_MOST_MEMORY_MIB: Final = 64 * 1024 * 1024
FIX: Final = "Take the disk out of it (tar -xf) and upload that."


@dataclass(frozen=True, slots=True, kw_only=True)
class Ova:
    """Where in the file the one disk lies, and what its machine had: `vcpus`, `memory_mib`."""

    offset: int
    size_bytes: int
    filename: str
    hints: dict[str, int]


def is_tar(head: bytes) -> bool:
    """Whether the bytes are the beginning of a tar archive (POSIX.1-1988 and later)."""
    return head[MAGIC_AT : MAGIC_AT + 5] == b"ustar"


def look_into(path: Path) -> Ova:
    """The archive at `path`, all of which is here. Raises InvalidInput (field `file`) where it can't be used."""
    try:
        with path.open("rb") as file, tarfile.open(fileobj=file, mode="r:") as archive:
            members = _members(archive)
            described = _described(archive, members)
            disk = members.get(_disk_of(described))
            if disk is None:
                raise _refuse("The disk that its description names is not in it.")
            return Ova(
                offset=disk.offset_data, size_bytes=disk.size, filename=disk.name, hints=_hints(described)
            )
    except (tarfile.TarError, EOFError, OSError, UnicodeError):
        raise _refuse("This archive is damaged.", "Upload it again, in full.") from None


def _members(archive: tarfile.TarFile) -> dict[str, tarfile.TarInfo]:
    """Plain files at the top, by name. Everything else has no place in an OVA."""
    found: dict[str, tarfile.TarInfo] = {}
    for member in archive:
        if len(found) >= _MOST_MEMBERS:
            raise _refuse(f"It holds more than {_MOST_MEMBERS} files.")
        plain = (
            member.isreg() and not member.issparse() and "/" not in member.name and member.name not in found
        )
        if not plain or member.name.startswith("."):
            raise _refuse("It holds links, folders, or a file twice: that is no OVA.")
        found[member.name] = member
    return found


def _described(archive: tarfile.TarFile, members: dict[str, tarfile.TarInfo]) -> Element:
    descriptions = [member for name, member in members.items() if name.lower().endswith(".ovf")]
    if len(descriptions) != 1:
        raise _refuse("There is no description of a machine (.ovf) in it, or more than one.")
    if descriptions[0].size > DOCUMENT_LIMIT_BYTES:
        raise _refuse("The description in it is over 1 MiB.")
    file = archive.extractfile(descriptions[0])
    text = file.read(DOCUMENT_LIMIT_BYTES) if file is not None else b""
    try:
        return document(text.decode())
    except (Invalid, UnicodeError):
        raise _refuse("The description in it can't be read.") from None


def _disk_of(envelope: Element) -> str:
    """The name of the one disk's member."""
    disks = envelope.findall(f"{{{_ENVELOPE}}}DiskSection/{{{_ENVELOPE}}}Disk")
    if len(disks) != 1:
        raise _refuse(f"It has {len(disks)} disks; only one can be taken.", FIX)
    reference = disks[0].get(f"{{{_ENVELOPE}}}fileRef", "")
    for file in envelope.findall(f"{{{_ENVELOPE}}}References/{{{_ENVELOPE}}}File"):
        if file.get(f"{{{_ENVELOPE}}}id") == reference:
            if file.get(f"{{{_ENVELOPE}}}compression", "identity") != "identity":
                raise _refuse("The disk in it is compressed once more.", FIX)
            return file.get(f"{{{_ENVELOPE}}}href", "")
    return ""


def _hints(envelope: Element) -> dict[str, int]:
    hints: dict[str, int] = {}
    for item in envelope.iter(f"{{{_ENVELOPE}}}Item"):
        kind = (item.findtext(f"{{{_RESOURCES}}}ResourceType") or "").strip()
        count = (item.findtext(f"{{{_RESOURCES}}}VirtualQuantity") or "").strip()
        if not count.isascii() or not count.isdecimal() or len(count) > 12:
            continue
        if kind == _CPU and 0 < int(count) <= _MOST_VCPUS:
            hints["vcpus"] = int(count)
        elif kind == _MEMORY:
            unit = (item.findtext(f"{{{_RESOURCES}}}AllocationUnits") or "").replace(" ", "").lower()
            size = int(count) * _UNITS.get(unit, 0)
            if 0 < size <= _MOST_MEMORY_MIB:
                hints["memory_mib"] = size
    return hints


def _refuse(message: str, fix: str = "") -> InvalidInput:
    return InvalidInput(message, field="file", fix=fix)
