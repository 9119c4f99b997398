"""Network cards: read from a machine's documents, and changed in them. A card is known by its MAC address."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Final

from hypervisor.device_facts import Presence
from hypervisor.facts import NicFacts
from hypervisor.specs import NetworkSource, NicChange, NicModel
from hypervisor.xml.build import bandwidth
from hypervisor.xml.elements import Element, document, element, integer, serialize, set_attribute
from hypervisor.xml.peripherals import find
from hypervisor.xml.reading import TEXT_LIMIT, attribute

# These two sit in the same kind of slot: a guest that gets the one for the other finds it in the same place.
_EXPRESS: Final = frozenset({NicModel.VIRTIO.value, NicModel.E1000E.value})
_PENDING: Final = ("kind", "source", "model", "link_up", "inbound_kib_s", "outbound_kib_s")
# What a column of the inventory holds.
_LARGEST_KIB_S: Final = 2**31 - 1


def nic_facts(definition: Element, live: Element | None) -> tuple[NicFacts, ...]:
    """Those of this run, if it runs, in its order; then those that come with the next start."""
    defined = [_nic(nic, Presence.NEXT) for nic in definition.iterfind("devices/interface")]
    if live is None:
        return tuple(replace(nic, present=Presence.BOTH) for nic in defined)
    running = [_nic(nic, Presence.NOW) for nic in live.iterfind("devices/interface")]
    later = {nic.mac.lower(): nic for nic in defined}
    here = {nic.mac.lower() for nic in running}
    merged = [_merged(nic, later.get(nic.mac.lower())) for nic in running]
    return (*merged, *(nic for nic in defined if nic.mac.lower() not in here))


def places(xml: str) -> set[tuple[str, str]]:
    """What the cards of a document are plugged into: each libvirt's interface type, and the name of the source."""
    nics = nic_facts(document(xml), None)
    return {(nic.kind, nic.source) for nic in nics}


def nic_of(xml: str, mac: str) -> NicFacts:
    """The card of that address. Raises `NotFound`, and `Invalid` where there are two."""
    return _nic(find(document(xml), f"nic:{mac.lower()}"), Presence.BOTH)


def changing(mac: str, change: NicChange) -> Callable[[str], str]:
    """The edit that changes the card in a definition."""

    def edit(xml: str) -> str:
        root = document(xml)
        _apply(find(root, f"nic:{mac.lower()}"), change)
        return serialize(root)

    return edit


def changed_device(xml: str, mac: str, change: NicChange) -> str:
    """The card alone, changed: what a running domain is updated with."""
    nic = find(document(xml), f"nic:{mac.lower()}")
    _apply(nic, change)
    return serialize(nic)


def restoring(mac: str, device: str) -> Callable[[str], str]:
    """The edit that puts the card's earlier element in the place of the one it has in a definition."""

    def edit(xml: str) -> str:
        root = document(xml)
        now = find(root, f"nic:{mac.lower()}")
        parent = now.getparent()
        if parent is not None:
            parent.replace(now, document(device))
        return serialize(root)

    return edit


def fulfils(facts: NicFacts, change: NicChange) -> bool:
    """Whether the card is as `change` wants it."""
    return all(wanted == str(getattr(facts, name)) for name, wanted in _wanted(change))


def _wanted(change: NicChange) -> Iterator[tuple[str, str]]:
    for name in _PENDING:
        value = getattr(change, name)
        if value is not None:
            yield name, str(value)


def _merged(nic: NicFacts, later: NicFacts | None) -> NicFacts:
    if later is None:
        return nic
    pairs = [(name, str(getattr(later, name))) for name in _PENDING]
    pending = tuple((name, value) for name, value in pairs if value != str(getattr(nic, name)))
    return replace(nic, present=Presence.BOTH, pending=pending)


def _nic(nic: Element, present: Presence) -> NicFacts:
    kind, source = nic.get("type", ""), nic.find("source")
    return NicFacts(
        mac=attribute(nic.find("mac"), "address"),
        kind=kind[:TEXT_LIMIT],
        source=attribute(source, "network" if kind == "network" else "bridge") or attribute(source, "dev"),
        model=attribute(nic.find("model"), "type"),
        device=attribute(nic.find("target"), "dev"),
        link_up=attribute(nic.find("link"), "state") != "down",
        inbound_kib_s=_average(nic, "inbound"),
        outbound_kib_s=_average(nic, "outbound"),
        present=present,
        pending=(),
    )


def _average(nic: Element, way: str) -> int:
    return min(max(integer(attribute(nic.find(f"bandwidth/{way}"), "average")), 0), _LARGEST_KIB_S)


def _apply(nic: Element, change: NicChange) -> None:
    now = _nic(nic, Presence.BOTH)
    place = None if change.kind is None or change.source is None else (change.kind, change.source)
    if place is not None and place != (now.kind, now.source):
        _plug_into(nic, *place)
    if change.model is not None and change.model != now.model:
        _set_model(nic, change.model)
    if change.link_up is not None and change.link_up != now.link_up:
        _replace(nic, "link", [element("link", attributes={"state": "up" if change.link_up else "down"})])
    inbound = now.inbound_kib_s if change.inbound_kib_s is None else change.inbound_kib_s
    outbound = now.outbound_kib_s if change.outbound_kib_s is None else change.outbound_kib_s
    if (inbound, outbound) != (now.inbound_kib_s, now.outbound_kib_s):
        _replace(nic, "bandwidth", bandwidth(inbound_kib_s=inbound, outbound_kib_s=outbound))


def _plug_into(nic: Element, kind: NetworkSource, source: str) -> None:
    """What belonged to the old place (a port group, a virtual port's profile) goes with it."""
    set_attribute(nic, "type", kind.value)
    for tag in ("virtualport", "vlan"):
        _replace(nic, tag, [])
    _replace(nic, "source", [element("source", attributes={kind.value: source})])


def _set_model(nic: Element, model: NicModel) -> None:
    before = attribute(nic.find("model"), "type")
    _replace(nic, "model", [element("model", attributes={"type": model.value})])
    _replace(nic, "driver", [])
    if not {before, model.value} <= _EXPRESS:
        _replace(nic, "address", [])


def _replace(nic: Element, tag: str, made: list[Element]) -> None:
    """Put `made` where the elements of this tag stood, or at the end."""
    stale = nic.findall(tag)
    position = nic.index(stale[0]) if stale else len(nic)
    for old in stale:
        nic.remove(old)
    for offset, new in enumerate(made):
        nic.insert(position + offset, new)
