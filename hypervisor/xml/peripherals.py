"""A machine's other devices: read from its documents, built, and found by the key that a document gives each.

Keys are "watchdog:i6300esb", "pci:0000:01:00.0", "nic:52:54:00:…": what a device is, never where libvirt put it, so
that it is the same in a definition and in the document of a run. Edits are pure functions, as in `xml.edit`.
"""

from collections.abc import Callable, Iterator
from typing import Final

from hypervisor.device_facts import DeviceFacts, DeviceKind, Presence
from hypervisor.device_specs import (
    AgentSpec,
    DeviceSpec,
    PciSpec,
    RngSpec,
    SerialSpec,
    SoundSpec,
    UsbSpec,
    WatchdogSpec,
)
from hypervisor.errors import Invalid, NotFound
from hypervisor.specs import NicSpec
from hypervisor.xml.build import AGENT_CHANNEL, agent_channel, nic
from hypervisor.xml.elements import Element, document, element, integer, serialize
from hypervisor.xml.reading import attribute, id_number, pci_address, text_at
from hypervisor.xml.slots import NIC

_KIND_TAGS: Final = {
    "watchdog": DeviceKind.WATCHDOG,
    "rng": DeviceKind.RNG,
    "serial": DeviceKind.SERIAL,
    "sound": DeviceKind.SOUND,
    "video": DeviceKind.VIDEO,
    "memballoon": DeviceKind.BALLOON,
}
_HEX: Final = 16
_RNG_PERIOD_MS: Final = 1000


def device_facts(definition: Element, live: Element | None) -> tuple[DeviceFacts, ...]:
    """All that are told apart, in the order of the definition, then those that only this run has."""
    defined = {
        fact.key: fact for fact in _facts(definition, Presence.BOTH if live is None else Presence.NEXT)
    }
    if live is None:
        return tuple(defined.values())
    running = {fact.key: fact for fact in _facts(live, Presence.NOW)}
    both = [_both(fact) if fact.key in running else fact for fact in defined.values()]
    return (*both, *(fact for key, fact in running.items() if key not in defined))


def key_of(device: Element) -> str:
    """What the device is called by; blank for one that is not told apart."""
    if device.tag == "interface":
        return f"nic:{attribute(device.find('mac'), 'address').lower()}"
    kind = _kind(device)
    return "" if kind is None else f"{kind}:{_name(device, kind)}"


def key_for(spec: DeviceSpec) -> str:
    """The key of the device that the spec asks for."""
    return key_of(build(spec))


def kind_of(device: Element) -> str:
    """`NIC`, or a `DeviceKind`; blank for one that is not told apart."""
    return NIC if device.tag == "interface" else _kind(device) or ""


def keys(xml: str) -> frozenset[str]:
    """The keys of all devices in a document."""
    return frozenset(key_of(device) for device in document(xml).iterfind("devices/*")) - {""}


def device_xml(xml: str, key: str) -> str:
    """The one device of that key. Raises `NotFound`, and `Invalid` where there are two."""
    return serialize(find(document(xml), key))


def find(root: Element, key: str) -> Element:
    """The one device of that key. Raises `NotFound`, and `Invalid` where there are two."""
    found = [device for device in root.iterfind("devices/*") if key_of(device) == key]
    if not found:
        raise NotFound("The virtual machine has no such device.")
    if len(found) > 1:
        raise Invalid("The virtual machine has two devices like it, and nothing tells them apart.")
    return found[0]


def adding(device: str) -> Callable[[str], str]:
    """The edit that puts a device into a definition, behind the last of its kind; one that is there stays as it is."""

    def edit(xml: str) -> str:
        root, made = document(xml), document(device)
        if key_of(made) in keys(xml):
            return xml
        devices = root.find("devices")
        if devices is None:
            raise Invalid("The document has no <devices>.")
        same = [devices.index(other) for other in devices.iterfind(str(made.tag))]
        devices.insert(max(same, default=len(devices) - 1) + 1, made)
        return serialize(root)

    return edit


def removing(key: str) -> Callable[[str], str]:
    """The edit that takes a device out of a definition; harmless where it is not there."""

    def edit(xml: str) -> str:
        root = document(xml)
        if key not in keys(xml):
            return xml
        device = find(root, key)
        if device.tag == "serial":
            _drop_console(root, device)
        _drop(device)
        return serialize(root)

    return edit


def setting_video(model: str) -> Callable[[str], str]:
    """The edit that gives the first video card another model; what belonged to the old one goes with it."""

    def edit(xml: str) -> str:
        root = document(xml)
        video = _video(root)
        if attribute(video.find("model"), "type") == model:
            return xml
        for stale in list(video):
            _drop(stale)
        video.append(element("model", attributes={"type": model}))
        return serialize(root)

    return edit


def video_element(xml: str) -> str:
    """The first video card alone. Raises `NotFound`."""
    return serialize(_video(document(xml)))


def restoring_video(video: str) -> Callable[[str], str]:
    """The edit that puts an earlier element in the place of the first video card."""

    def edit(xml: str) -> str:
        root = document(xml)
        now = _video(root)
        parent = now.getparent()
        if parent is not None:
            parent.replace(now, document(video))
        return serialize(root)

    return edit


def build(spec: DeviceSpec) -> Element:
    """The device's element."""
    match spec:
        case NicSpec():
            return nic(spec)
        case WatchdogSpec():
            return element("watchdog", attributes={"model": "i6300esb", "action": spec.action.value})
        case RngSpec():
            return _rng(spec)
        case SerialSpec():
            return element("serial", attributes={"type": "pty"})
        case SoundSpec():
            return element("sound", attributes={"model": "ich9"})
        case AgentSpec():
            return agent_channel()
        case PciSpec():
            return _hostdev("pci", element("address", attributes=_pci_attributes(spec.address)))
        case UsbSpec():
            return _usb(spec)


def _video(root: Element) -> Element:
    video = root.find("devices/video")
    if video is None:
        raise NotFound("The virtual machine has no video card.")
    return video


def _both(fact: DeviceFacts) -> DeviceFacts:
    return DeviceFacts(
        kind=fact.kind, key=fact.key, model=fact.model, detail=fact.detail, present=Presence.BOTH
    )


def _facts(root: Element, present: Presence) -> Iterator[DeviceFacts]:
    for device in root.iterfind("devices/*"):
        kind = _kind(device)
        if kind is None:
            continue
        yield DeviceFacts(
            kind=kind, key=key_of(device), model=_model(device), detail=_detail(device, kind), present=present
        )


def _kind(device: Element) -> DeviceKind | None:
    if device.tag == "channel":
        return DeviceKind.AGENT if attribute(device.find("target"), "name") == AGENT_CHANNEL else None
    if device.tag == "hostdev":
        kinds = {"pci": DeviceKind.PCI, "usb": DeviceKind.USB}
        return kinds.get(device.get("type", "")) if device.get("mode") == "subsystem" else None
    if device.tag == "memballoon" and device.get("model") == "none":
        return None
    return _KIND_TAGS.get(str(device.tag))


def _name(device: Element, kind: DeviceKind) -> str:
    match kind:
        case DeviceKind.PCI:
            return pci_address(device.find("source/address"))
        case DeviceKind.USB:
            return _usb_name(device.find("source"))
        case DeviceKind.SERIAL:
            return str(integer(attribute(device.find("target"), "port")))
        case DeviceKind.AGENT:
            return AGENT_CHANNEL
        case _:
            return _model(device)


def _model(device: Element) -> str:
    if device.tag in ("serial", "video"):
        model = device.find("target/model" if device.tag == "serial" else "model")
        return attribute(model, "name" if device.tag == "serial" else "type")
    return attribute(device, "model")


def _detail(device: Element, kind: DeviceKind) -> str:
    match kind:
        case DeviceKind.WATCHDOG:
            return attribute(device, "action")
        case DeviceKind.RNG:
            rate = device.find("rate")
            period_ms = integer(attribute(rate, "period")) or _RNG_PERIOD_MS
            rate_s = integer(attribute(rate, "bytes")) * _RNG_PERIOD_MS // period_ms
            source = text_at(device, "backend")
            return f"{source}, {rate_s} bytes/s" if rate_s else source
        case _:
            return ""


def _rng(spec: RngSpec) -> Element:
    made = element("rng", attributes={"model": "virtio"})
    if spec.rate_bytes_s:
        rate = {"bytes": str(spec.rate_bytes_s), "period": str(_RNG_PERIOD_MS)}
        made.append(element("rate", attributes=rate))
    made.append(element("backend", text="/dev/urandom", attributes={"model": "random"}))
    return made


def _usb(spec: UsbSpec) -> Element:
    vendor = element("vendor", attributes={"id": f"0x{spec.vendor_id}"})
    return _hostdev("usb", vendor, element("product", attributes={"id": f"0x{spec.product_id}"}))


def _hostdev(kind: str, *source: Element) -> Element:
    attributes = {"mode": "subsystem", "type": kind, "managed": "yes"}
    return element("hostdev", element("source", *source), attributes=attributes)


def _pci_attributes(address: str) -> dict[str, str]:
    try:
        domain, bus, rest = address.split(":")
        slot, function = rest.split(".")
        numbers = {"domain": domain, "bus": bus, "slot": slot, "function": function}
        return {name: f"0x{int(number, _HEX):x}" for name, number in numbers.items()}
    except ValueError:
        raise Invalid("This is no PCI address.") from None


def _usb_name(source: Element | None) -> str:
    vendor, product = (
        id_number(attribute(None if source is None else source.find(tag), "id"))
        for tag in ("vendor", "product")
    )
    return f"{vendor:04x}:{product:04x}"


def _drop_console(root: Element, serial: Element) -> None:
    """libvirt keeps a second element for a serial port that is a console."""
    port = attribute(serial.find("target"), "port")
    for console in root.findall("devices/console"):
        target = console.find("target")
        if attribute(target, "type") in ("", "serial") and attribute(target, "port") == port:
            _drop(console)


def _drop(target: Element) -> None:
    parent = target.getparent()
    if parent is not None:
        parent.remove(target)
