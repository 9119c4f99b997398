"""What libvirt hands on of a guest, read into facts. All of it is the guest's own word.

Texts are cut, lists too, and what is no address or no number is left out.
"""

from collections.abc import Iterable, Iterator, Mapping
from ipaddress import ip_address
from typing import Any, Final

from hypervisor.guest_facts import AddressFacts, AddressSource, AgentFacts, FilesystemFacts

_TEXT_LIMIT: Final = 255
_MOST_CARDS: Final = 32
_MOST_ADDRESSES: Final = 64
_MOST_FILESYSTEMS: Final = 64
_MOST_USERS: Final = 32
_LARGEST: Final = 2**63 - 1


def card_addresses(cards: Mapping[str, Mapping[str, Any]], source: AddressSource) -> tuple[AddressFacts, ...]:
    """The addresses in an answer of `virDomainInterfaceAddresses`."""
    told = (
        (card.get("hwaddr") or "", address.get("addr"), address.get("prefix"))
        for card in list(cards.values())[:_MOST_CARDS]
        for address in card.get("addrs") or ()
    )
    return _addresses(told, source)


def agent_facts(told: Mapping[str, Any]) -> AgentFacts:
    """The flat list of names and values that `virDomainGetGuestInfo` gives."""
    return AgentFacts(
        hostname=_text(told, "hostname"),
        os=_text(told, "os.pretty-name") or _text(told, "os.name"),
        kernel=_text(told, "os.kernel-release"),
        timezone=_text(told, "timezone.name"),
        users=tuple(
            sorted({_text(told, f"user.{n}.name") for n in _indexes(told, "user.count", _MOST_USERS)} - {""})
        ),
        filesystems=tuple(_filesystems(told)),
        addresses=_addresses(_interfaces(told), AddressSource.AGENT),
    )


def _interfaces(told: Mapping[str, Any]) -> Iterator[tuple[Any, Any, Any]]:
    for card in _indexes(told, "if.count", _MOST_CARDS):
        mac = told.get(f"if.{card}.hwaddr", "")
        for n in _indexes(told, f"if.{card}.addr.count", _MOST_ADDRESSES):
            at = f"if.{card}.addr.{n}"
            yield mac, told.get(f"{at}.addr"), told.get(f"{at}.prefix")


def _filesystems(told: Mapping[str, Any]) -> Iterator[FilesystemFacts]:
    for n in _indexes(told, "fs.count", _MOST_FILESYSTEMS):
        mountpoint = _text(told, f"fs.{n}.mountpoint")
        total, used = _size(told, f"fs.{n}.total-bytes"), _size(told, f"fs.{n}.used-bytes")
        if mountpoint and total:
            yield FilesystemFacts(
                mountpoint=mountpoint,
                kind=_text(told, f"fs.{n}.fstype"),
                used_bytes=min(used, total),
                total_bytes=total,
            )


def _addresses(told: Iterable[tuple[Any, Any, Any]], source: AddressSource) -> tuple[AddressFacts, ...]:
    """Without those that only the guest itself, or only its own wire, can use."""
    found = []
    for mac, text, prefix in told:
        try:
            address = ip_address(str(text).partition("%")[0])
        except ValueError:
            continue
        if address.is_loopback or address.is_link_local or address.is_multicast or address.is_unspecified:
            continue
        bits = prefix if isinstance(prefix, int) and 0 < prefix <= address.max_prefixlen else 0
        found.append(
            AddressFacts(
                mac=str(mac).lower()[:17],
                address=str(address),
                prefix=bits or address.max_prefixlen,
                source=source,
            )
        )
    return tuple(found[:_MOST_ADDRESSES])


def _indexes(told: Mapping[str, Any], name: str, most: int) -> range:
    return range(min(_size(told, name), most))


def _size(told: Mapping[str, Any], name: str) -> int:
    number = told.get(name)
    return min(number, _LARGEST) if isinstance(number, int) and number > 0 else 0


def _text(told: Mapping[str, Any], name: str) -> str:
    """In one line that can be shown."""
    text = str(told.get(name) or "")[: 4 * _TEXT_LIMIT]
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:_TEXT_LIMIT]
