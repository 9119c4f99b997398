"""The PCI and USB devices of a host, read from libvirt's documents of all that is on its buses."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Final

from hypervisor.device_facts import BridgeFacts, DeviceKind, HostDeviceFacts
from hypervisor.errors import Invalid
from hypervisor.xml.elements import Element, document, integer
from hypervisor.xml.reading import attribute, pci_address, text_at

_KINDS: Final = {"pci": DeviceKind.PCI, "usb_device": DeviceKind.USB}


def host_devices(documents: Iterable[str]) -> list[HostDeviceFacts]:
    """The PCI and USB devices among all devices of a host; what cannot be understood is left out.

    Disks, network interfaces and USB devices tell what hangs on which of them.
    """
    roots = [root for root in map(_understood, documents) if root is not None]
    parents = {text_at(root, "name"): text_at(root, "parent") for root in roots}
    holds: dict[str, list[str]] = defaultdict(list)
    for root in roots:
        held = _held(root)
        if held:
            for owner in _above(text_at(root, "name"), parents):
                holds[owner].append(held)
    return [
        _device(root, capability, tuple(sorted(holds[text_at(root, "name")])))
        for root in roots
        for capability in root.findall("capability")
        if capability.get("type") in _KINDS
    ]


def bridge_facts(xml: str, *, active: bool) -> BridgeFacts:
    """One bridge from the document of a host's interface."""
    root = document(xml)
    ports = [attribute(port, "name") for port in root.iterfind("bridge/interface")]
    return BridgeFacts(name=attribute(root, "name"), active=active, ports=tuple(sorted(filter(None, ports))))


def is_bridge(xml: str) -> bool:
    """Whether the document of a host's interface tells of a bridge."""
    return document(xml).get("type") == "bridge"


def _understood(xml: str) -> Element | None:
    try:
        return document(xml)
    except Invalid:
        return None


def _held(root: Element) -> str:
    """What this is to its host, if that would miss it."""
    capability = root.find("capability")
    kind = attribute(capability, "type")
    if capability is None or kind not in ("net", "storage", "usb_device"):
        return ""
    if kind == "storage":
        return f"disk {text_at(capability, 'block').removeprefix('/dev/')}"
    if kind == "usb_device":
        return "USB devices"
    up = attribute(capability.find("link"), "state") == "up"
    return f"interface {text_at(capability, 'interface')}" if up else ""


def _above(name: str, parents: Mapping[str, str]) -> list[str]:
    """The devices that this one hangs on, nearest first; a loop ends."""
    found: list[str] = []
    while (name := parents.get(name, "")) and name not in found:
        found.append(name)
    return found


def _device(root: Element, capability: Element, holds: tuple[str, ...]) -> HostDeviceFacts:
    kind = _KINDS[capability.get("type", "")]
    group = capability.find("iommuGroup")
    members = [] if group is None else [pci_address(member) for member in group.iterfind("address")]
    return HostDeviceFacts(
        name=text_at(root, "name"),
        kind=kind,
        address=_address(capability, kind),
        vendor_id=_id(capability.find("vendor")),
        product_id=_id(capability.find("product")),
        vendor=text_at(capability, "vendor"),
        product=text_at(capability, "product"),
        pci_class=text_at(capability, "class").removeprefix("0x")[:8] if kind is DeviceKind.PCI else "",
        driver=text_at(root, "driver/name"),
        iommu_group=None if group is None else integer(attribute(group, "number")),
        iommu_members=tuple(members),
        holds=holds,
    )


def _address(capability: Element, kind: DeviceKind) -> str:
    if kind is DeviceKind.USB:
        return f"{integer(text_at(capability, 'bus'))}.{integer(text_at(capability, 'device'))}"
    domain, bus, slot, function = (
        integer(text_at(capability, tag)) for tag in ("domain", "bus", "slot", "function")
    )
    return f"{domain:04x}:{bus:02x}:{slot:02x}.{function:x}"


def _id(named: Element | None) -> str:
    return attribute(named, "id").removeprefix("0x")[:8]
