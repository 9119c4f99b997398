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


def pci_address(address: Element | None) -> str:
    """An <address> as "0000:01:00.0"; what is no number counts as 0."""
    domain, bus, slot, function = (
        id_number(attribute(address, name)) for name in ("domain", "bus", "slot", "function")
    )
    return f"{domain & 0xFFFFFFFF:04x}:{bus & 0xFF:02x}:{slot & 0xFF:02x}.{function & 0xF:x}"


def id_number(value: str) -> int:
    """A number that libvirt writes as "0x1f" or "31"; 0 for what is neither."""
    try:
        return int(value[:16], 0)
    except ValueError:
        return 0
