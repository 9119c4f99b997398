"""What reading any of libvirt's documents is made of: values cut at a length no honest one reaches."""

from typing import Final

from hypervisor.xml.elements import Element, integer

TEXT_LIMIT: Final = 4096
# libvirt always answers in these units, whatever was asked for.
_BYTES_PER_UNIT: Final = {"": 1, "b": 1, "bytes": 1, "KiB": 1024, "MiB": 1024**2, "GiB": 1024**3}


def children(parent: Element | None, tag: str) -> list[Element]:
    """Those of this tag; none without a parent."""
    return [] if parent is None else list(parent.iterfind(tag))


def text_at(root: Element, path: str, *, limit: int = TEXT_LIMIT) -> str:
    """The text at `path`; blank where there is none."""
    return (root.findtext(path) or "")[:limit]


def attribute(target: Element | None, name: str) -> str:
    """Its value; blank where it is missing."""
    return "" if target is None else target.get(name, "")[:TEXT_LIMIT]


def number(root: Element, path: str) -> int:
    """The number at `path`, 0 where there is none."""
    return integer(text_at(root, path))


def size_bytes(root: Element, path: str) -> int:
    """The size at `path` in bytes."""
    unit = attribute(root.find(path), "unit")
    return number(root, path) * _BYTES_PER_UNIT.get(unit, 1)
