"""A definition's devices, each known by what a person would call it by."""

from collections import Counter
from dataclasses import dataclass
from typing import Final

from lxml import etree

from hypervisor.xml.elements import Element
from hypervisor.xml.leaves import Leaves, leaves

_DRIVES: Final = {"cdrom": "CD-ROM drive", "floppy": "floppy drive", "lun": "LUN", "disk": "disk"}
_NAMES: Final = {
    "interface": "network card",
    "hostdev": "host device",
    "graphics": "screen",
    "video": "video card",
    "sound": "sound card",
    "serial": "serial port",
    "parallel": "parallel port",
    "memballoon": "memory balloon",
    "rng": "random number generator",
    "tpm": "TPM",
    "filesystem": "shared folder",
    "redirdev": "USB redirection",
    "memory": "memory module",
}
# In which attribute of <source> the thing stands that the device is plugged into.
_SOURCES: Final = ("file", "dev", "dir", "volume", "name", "network", "bridge", "path", "host")


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """One device. `place` says what it is plugged into, which the leaves at `place_paths` say in full."""

    tag: str
    title: str
    place: str
    place_paths: frozenset[str]
    leaves: Leaves


def devices_of(root: Element) -> dict[str, Device]:
    """By a key that a device keeps when something else about it changes."""
    found: dict[str, Device] = {}
    count: Counter[str] = Counter()
    for element in root.iterfind("devices/*"):
        if not isinstance(element.tag, str):
            continue
        name = _name(element)
        key = f"{element.tag} {name}"
        count[key] += 1
        if count[key] > 1:
            key = f"{key} #{count[key]}"
        found[key] = _device(element, name)
    return found


def _device(element: Element, name: str) -> Device:
    tag = str(element.tag)
    values = leaves(element)
    place, paths = _place(element, values)
    return Device(
        tag=tag, title=_title(element, name)[:200], place=place[:200], place_paths=paths, leaves=values
    )


def _name(element: Element) -> str:
    """What tells it from others of its tag; blank where that is only its turn."""
    for path, attribute in (("target", "dev"), ("mac", "address"), ("target", "name")):
        inner = element.find(path)
        if inner is not None and inner.get(attribute) and not (path == "target" and _is_nic(element)):
            return str(inner.get(attribute)).lower() if attribute == "address" else str(inner.get(attribute))
    match element.tag:
        case "controller":
            return f"{element.get('type', '')} {element.get('index', '')}".strip()
        case "hostdev":
            return _host_address(element)
        case "serial" | "parallel" | "console":
            target = element.find("target")
            return "" if target is None else target.get("port", "")
        case "graphics" | "input":
            return " ".join(filter(None, (element.get("type"), element.get("bus"))))
        case "filesystem":
            target = element.find("target")
            return "" if target is None else target.get("dir", "")
        case _:
            return element.get("model", "") if element.tag in ("sound", "watchdog") else ""


def _is_nic(element: Element) -> bool:
    """Its target is the host's end, which libvirt chooses anew; its address is what it is known by."""
    return element.tag == "interface"


def _host_address(element: Element) -> str:
    """As lspci and lsusb write it, where it has such an address."""
    source = element.find("source")
    address = None if source is None else source.find("address")
    if address is not None and address.get("slot"):
        parts = [
            address.get(part, "0x0").removeprefix("0x") for part in ("domain", "bus", "slot", "function")
        ]
        return f"{parts[0].zfill(4)}:{parts[1].zfill(2)}:{parts[2].zfill(2)}.{parts[3]}"
    values = [] if source is None else leaves(source).values()
    return " ".join(values)


def _title(element: Element, name: str) -> str:
    tag = etree.QName(element).localname
    if tag == "disk":
        kind = _DRIVES.get(element.get("device", "disk"), "disk")
    elif tag == "graphics":
        return f"{element.get('type', '').upper()} screen"
    elif tag == "input":
        return " ".join(filter(None, (element.get("bus"), element.get("type"))))
    else:
        kind = _NAMES.get(tag, tag)
    return f"{kind} {name}".strip()


def _place(element: Element, values: Leaves) -> tuple[str, frozenset[str]]:
    """Where the device leads to, in words, and the leaves that say so."""
    source = element.find("source")
    if source is None or element.tag not in ("disk", "interface", "filesystem"):
        return "", frozenset()
    paths = frozenset(path for path in values if path.startswith("source") or path == "@type")
    told = next((str(source.get(name)) for name in _SOURCES if source.get(name)), "")
    kind = element.get("type", "")
    if kind == "volume":
        told = f"{source.get('pool', '')}/{told}"
    words = f"{kind} {told}" if element.tag == "interface" or kind == "network" else told
    return words.strip(), paths
