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
    DomainFacts,
    DomainState,
    GraphicsFacts,
    NetworkFacts,
    PoolFacts,
    PoolState,
    VolumeFacts,
)
from hypervisor.xml.disks import disk_facts
from hypervisor.xml.elements import MARKER_TAG, TAG_TAG, TAGS_TAG, Element, document, integer
from hypervisor.xml.nics import nic_facts
from hypervisor.xml.options import option_facts
from hypervisor.xml.peripherals import device_facts
from hypervisor.xml.reading import TEXT_LIMIT, attribute, children, number, size_bytes, text_at
from hypervisor.xml.slots import pluggable

_DESCRIPTION_LIMIT: Final = 16384
_KIB_PER_MIB: Final = 1024


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
    defined = document(definition)
    running = None if live is None else document(live)
    root = defined if running is None else running
    devices = root.find("devices")
    maximum = number(root, "vcpu")
    return DomainFacts(
        uuid=uuid_of(root),
        name=text_at(root, "name"),
        title=text_at(defined, "title"),
        description=text_at(defined, "description", limit=_DESCRIPTION_LIMIT),
        marker=attribute(root.find(f"metadata/{MARKER_TAG}"), "marker"),
        tags=_tags(defined.find(f"metadata/{MARKER_TAG}")),
        state=situation.state,
        state_reason=situation.state_reason,
        live_id=situation.live_id,
        persistent=situation.persistent,
        autostart=situation.autostart,
        managed_save=situation.managed_save,
        vcpus=integer(attribute(root.find("vcpu"), "current")) or maximum,
        vcpus_max=maximum,
        memory_mib=number(root, "currentMemory") // _KIB_PER_MIB,
        memory_max_mib=number(root, "memory") // _KIB_PER_MIB,
        machine=attribute(root.find("os/type"), "machine"),
        firmware=_firmware(root),
        accelerated=root.get("type") == "kvm",
        disks=disk_facts(defined, running),
        nics=nic_facts(defined, running),
        graphics=tuple(_graphics(screen) for screen in children(devices, "graphics")),
        devices=device_facts(defined, running),
        pluggable=() if running is None else pluggable(running),
        defined=option_facts(defined),
        live=None if running is None else option_facts(running),
        xml_sha=document_sha(definition),
    )


def domain_digest(*, definition: str, live: str | None, situation: DomainSituation) -> str:
    """Another one if `domain_facts` could give anything else for it."""
    said = repr((definition, live, situation)).encode("utf-8", errors="surrogatepass")
    return hashlib.blake2b(said, digest_size=16).hexdigest()


def document_sha(definition: str) -> str:
    """The SHA-256 that tells one definition (inactive, with secrets) from another."""
    return hashlib.sha256(definition.encode("utf-8", errors="surrogatepass")).hexdigest()


def pool_facts(text: str, *, state: PoolState, persistent: bool, autostart: bool) -> PoolFacts:
    """One storage pool."""
    root = document(text)
    return PoolFacts(
        uuid=uuid_of(root),
        name=text_at(root, "name"),
        kind=root.get("type", "")[:TEXT_LIMIT],
        state=state,
        path=text_at(root, "target/path"),
        capacity_bytes=size_bytes(root, "capacity"),
        allocation_bytes=size_bytes(root, "allocation"),
        available_bytes=size_bytes(root, "available"),
        persistent=persistent,
        autostart=autostart,
    )


def volume_facts(text: str) -> VolumeFacts:
    """One volume."""
    root = document(text)
    features = root.find("target/features")
    return VolumeFacts(
        name=text_at(root, "name"),
        key=text_at(root, "key"),
        path=text_at(root, "target/path"),
        format=attribute(root.find("target/format"), "type"),
        capacity_bytes=size_bytes(root, "capacity"),
        allocation_bytes=size_bytes(root, "allocation"),
        physical_bytes=size_bytes(root, "physical"),
        backing_path=text_at(root, "backingStore/path"),
        compat=text_at(root, "target/compat"),
        features=tuple(str(feature.tag)[:TEXT_LIMIT] for feature in children(features, "*")),
    )


def network_facts(text: str, *, active: bool, persistent: bool, autostart: bool) -> NetworkFacts:
    """One virtual network."""
    root = document(text)
    return NetworkFacts(
        uuid=uuid_of(root),
        name=text_at(root, "name"),
        active=active,
        persistent=persistent,
        autostart=autostart,
        bridge=attribute(root.find("bridge"), "name"),
        forward_mode=_forward_mode(root),
        dns_domain=attribute(root.find("domain"), "name"),
        addresses=tuple(_address(ip) for ip in root.iterfind("ip")),
        dhcp_ranges=tuple(
            (attribute(dhcp, "start"), attribute(dhcp, "end")) for dhcp in root.iterfind("ip/dhcp/range")
        ),
    )


def uuid_of(root: Element) -> UUID:
    """The object's own UUID; raises `Invalid` if it is none."""
    try:
        return UUID(text_at(root, "uuid"))
    except ValueError as error:
        raise Invalid("The document holds no UUID.") from error


def _tags(ours: Element | None) -> tuple[str, ...] | None:
    """None where the panel's element has no list of them: it never wrote any."""
    listed = None if ours is None else ours.find(TAGS_TAG)
    if listed is None:
        return None
    return tuple((tag.text or "")[:TEXT_LIMIT] for tag in listed.iterfind(TAG_TAG))


def _firmware(root: Element) -> str:
    """ "uefi" or "bios"; after libvirt chose a UEFI image, its loader tells, before that the attribute does."""
    loader = root.find("os/loader")
    if attribute(root.find("os"), "firmware") == "efi" or attribute(loader, "type") == "pflash":
        return "uefi"
    return "bios"


def _graphics(screen: Element) -> GraphicsFacts:
    port = integer(screen.get("port", ""))
    listen = screen.get("listen") or attribute(screen.find("listen"), "address")
    return GraphicsFacts(
        kind=screen.get("type", "")[:TEXT_LIMIT],
        port=port if 0 < port < 65536 else None,
        listen=listen[:TEXT_LIMIT],
        has_password=screen.get("passwd") is not None,
    )


def _forward_mode(root: Element) -> str:
    forward = root.find("forward")
    return "isolated" if forward is None else forward.get("mode", "nat")[:TEXT_LIMIT]


def _address(ip: Element) -> str:
    """As "192.0.2.1/24"; blank for what is no address."""
    mask = attribute(ip, "prefix") or attribute(ip, "netmask") or "32"
    try:
        return str(ip_interface(f"{attribute(ip, 'address')}/{mask}"))
    except ValueError:
        return ""
