"""libvirt's documents, read into facts.

Everything in them is hostile: texts are cut at a length no honest one reaches, numbers that are none count as 0.
"""

import hashlib
from dataclasses import dataclass
from ipaddress import ip_interface
from typing import Final
from uuid import UUID

from hypervisor.errors import Invalid
from hypervisor.facts import (
    DiskFacts,
    DomainFacts,
    DomainState,
    GraphicsFacts,
    NetworkFacts,
    NicFacts,
    PoolFacts,
    PoolState,
    VolumeFacts,
)
from hypervisor.xml.elements import MARKER_TAG, Element, document

_TEXT_LIMIT: Final = 4096
_DESCRIPTION_LIMIT: Final = 16384
_KIB_PER_MIB: Final = 1024
# libvirt always answers in these units, whatever was asked for.
_BYTES_PER_UNIT: Final = {"": 1, "b": 1, "bytes": 1, "KiB": 1024, "MiB": 1024**2, "GiB": 1024**3}


@dataclass(frozen=True, slots=True, kw_only=True)
class DomainSituation:
    """What libvirt says about a domain beside its document; see `DomainFacts` for the meanings."""

    state: DomainState
    state_reason: str
    live_id: int | None
    persistent: bool
    autostart: bool
    managed_save: bool


def domain_facts(*, definition: str, live: str | None, situation: DomainSituation) -> DomainFacts:
    """One domain from its definition (inactive, with secrets) and, if it runs, the document of this run."""
    root = document(live if live is not None else definition)
    devices = root.find("devices")
    maximum = _number(root, "vcpu")
    return DomainFacts(
        uuid=uuid_of(root),
        name=_text(root, "name"),
        title=_text(root, "title"),
        description=_text(root, "description", limit=_DESCRIPTION_LIMIT),
        marker=_attribute(root.find(f"metadata/{MARKER_TAG}"), "marker"),
        state=situation.state,
        state_reason=situation.state_reason,
        live_id=situation.live_id,
        persistent=situation.persistent,
        autostart=situation.autostart,
        managed_save=situation.managed_save,
        vcpus=_integer(_attribute(root.find("vcpu"), "current")) or maximum,
        vcpus_max=maximum,
        memory_mib=_number(root, "currentMemory") // _KIB_PER_MIB,
        memory_max_mib=_number(root, "memory") // _KIB_PER_MIB,
        machine=_attribute(root.find("os/type"), "machine"),
        firmware=_firmware(root),
        accelerated=root.get("type") == "kvm",
        disks=tuple(_disk(disk) for disk in _children(devices, "disk")),
        nics=tuple(_nic(nic) for nic in _children(devices, "interface")),
        graphics=tuple(_graphics(screen) for screen in _children(devices, "graphics")),
        xml_sha=document_sha(definition),
    )


def document_sha(definition: str) -> str:
    """The SHA-256 that tells one definition (inactive, with secrets) from another."""
    return hashlib.sha256(definition.encode("utf-8", errors="surrogatepass")).hexdigest()


def pool_facts(text: str, *, state: PoolState, persistent: bool, autostart: bool) -> PoolFacts:
    """One storage pool."""
    root = document(text)
    return PoolFacts(
        uuid=uuid_of(root),
        name=_text(root, "name"),
        kind=root.get("type", "")[:_TEXT_LIMIT],
        state=state,
        path=_text(root, "target/path"),
        capacity_bytes=_size_bytes(root, "capacity"),
        allocation_bytes=_size_bytes(root, "allocation"),
        available_bytes=_size_bytes(root, "available"),
        persistent=persistent,
        autostart=autostart,
    )


def volume_facts(text: str) -> VolumeFacts:
    """One volume."""
    root = document(text)
    features = root.find("target/features")
    return VolumeFacts(
        name=_text(root, "name"),
        key=_text(root, "key"),
        path=_text(root, "target/path"),
        format=_attribute(root.find("target/format"), "type"),
        capacity_bytes=_size_bytes(root, "capacity"),
        allocation_bytes=_size_bytes(root, "allocation"),
        physical_bytes=_size_bytes(root, "physical"),
        backing_path=_text(root, "backingStore/path"),
        compat=_text(root, "target/compat"),
        features=tuple(str(feature.tag)[:_TEXT_LIMIT] for feature in _children(features, "*")),
    )


def network_facts(text: str, *, active: bool, persistent: bool, autostart: bool) -> NetworkFacts:
    """One virtual network."""
    root = document(text)
    return NetworkFacts(
        uuid=uuid_of(root),
        name=_text(root, "name"),
        active=active,
        persistent=persistent,
        autostart=autostart,
        bridge=_attribute(root.find("bridge"), "name"),
        forward_mode=_forward_mode(root),
        dns_domain=_attribute(root.find("domain"), "name"),
        addresses=tuple(_address(ip) for ip in root.iterfind("ip")),
        dhcp_ranges=tuple(
            (_attribute(dhcp, "start"), _attribute(dhcp, "end")) for dhcp in root.iterfind("ip/dhcp/range")
        ),
    )


def uuid_of(root: Element) -> UUID:
    """The object's own UUID; raises `Invalid` if it is none."""
    try:
        return UUID(_text(root, "uuid"))
    except ValueError as error:
        raise Invalid("The document holds no UUID.") from error


def _firmware(root: Element) -> str:
    """ "uefi" or "bios"; after libvirt chose a UEFI image, its loader tells, before that the attribute does."""
    loader = root.find("os/loader")
    if _attribute(root.find("os"), "firmware") == "efi" or _attribute(loader, "type") == "pflash":
        return "uefi"
    return "bios"


def _disk(disk: Element) -> DiskFacts:
    source, target = disk.find("source"), disk.find("target")
    return DiskFacts(
        target=_attribute(target, "dev"),
        bus=_attribute(target, "bus"),
        device=disk.get("device", "disk")[:_TEXT_LIMIT],
        path=_attribute(source, "file") or _attribute(source, "dev"),
        pool=_attribute(source, "pool"),
        volume=_attribute(source, "volume"),
        format=_attribute(disk.find("driver"), "type"),
        readonly=disk.find("readonly") is not None,
        serial=_text(disk, "serial"),
        boot_order=_integer(_attribute(disk.find("boot"), "order")) or None,
    )


def _nic(nic: Element) -> NicFacts:
    kind, source = nic.get("type", ""), nic.find("source")
    return NicFacts(
        mac=_attribute(nic.find("mac"), "address"),
        kind=kind[:_TEXT_LIMIT],
        source=_attribute(source, "network" if kind == "network" else "bridge") or _attribute(source, "dev"),
        model=_attribute(nic.find("model"), "type"),
        device=_attribute(nic.find("target"), "dev"),
    )


def _graphics(screen: Element) -> GraphicsFacts:
    port = _integer(screen.get("port", ""))
    listen = screen.get("listen") or _attribute(screen.find("listen"), "address")
    return GraphicsFacts(
        kind=screen.get("type", "")[:_TEXT_LIMIT],
        port=port if 0 < port < 65536 else None,
        listen=listen[:_TEXT_LIMIT],
        has_password=screen.get("passwd") is not None,
    )


def _forward_mode(root: Element) -> str:
    forward = root.find("forward")
    return "isolated" if forward is None else forward.get("mode", "nat")[:_TEXT_LIMIT]


def _address(ip: Element) -> str:
    """As "192.0.2.1/24"; blank for what is no address."""
    mask = _attribute(ip, "prefix") or _attribute(ip, "netmask") or "32"
    try:
        return str(ip_interface(f"{_attribute(ip, 'address')}/{mask}"))
    except ValueError:
        return ""


def _children(parent: Element | None, tag: str) -> list[Element]:
    return [] if parent is None else list(parent.iterfind(tag))


def _text(root: Element, path: str, *, limit: int = _TEXT_LIMIT) -> str:
    return (root.findtext(path) or "")[:limit]


def _attribute(target: Element | None, name: str) -> str:
    return "" if target is None else target.get(name, "")[:_TEXT_LIMIT]


def _number(root: Element, path: str) -> int:
    return _integer(_text(root, path))


def _integer(text: str) -> int:
    """0 for what is not a plain number of at most 19 digits."""
    stripped = text.strip().lstrip("-")
    if not stripped.isascii() or not stripped.isdigit() or len(stripped) > 19:
        return 0
    return int(text)


def _size_bytes(root: Element, path: str) -> int:
    unit = _attribute(root.find(path), "unit")
    return _number(root, path) * _BYTES_PER_UNIT.get(unit, 1)
