"""A machine's guest as its page, the list and REST show it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from accounts.models import User
from domains.lifecycle import RULES, refusal
from domains.models import AgentState, Domain, Guest, GuestAddress

SOURCES: Final = {"lease": "DHCP lease", "agent": "guest agent", "arp": "ARP table"}
COMMANDS: Final = ("ping", "trim", "thaw")


@dataclass(frozen=True, slots=True)
class ShownAddress:
    """An address with the names of those who say so."""

    address: str
    prefix: int
    mac: str
    sources: str


@dataclass(frozen=True, slots=True)
class ShownFilesystem:
    """A file system with how full it is, 0 to 100."""

    mountpoint: str
    kind: str
    used_bytes: int
    total_bytes: int
    percent: int


def of(user: User, domain: Domain) -> dict[str, Any]:
    """What `domains/_guest.html` shows, and `domains/_guest_facts.html` of it. Nothing of a guest that is off."""
    told = getattr(domain, "guest", None) if domain.on else None
    addresses = domain.addresses.all() if domain.on else ()
    return {
        "user": user,
        "domain": domain,
        "told": told if told is not None and told.told_at else None,
        "agent": AgentState(told.agent) if told else AgentState.UNKNOWN,
        "addresses": [_address(row) for row in addresses],
        "filesystems": _filesystems(told) if told else [],
    }


def commands(user: User, domain: Domain) -> dict[str, Any]:
    """What can be asked of the agent; `why_not` is why nothing can."""
    return {
        "user": user,
        "domain": domain,
        "commands": [(name, RULES[f"domain.guest.{name}"]) for name in COMMANDS],
        "freeze_rule": RULES["domain.guest.freeze"],
        "why_not": refusal("domain.guest.ping", domain),
    }


def attach(domains: Iterable[Domain]) -> None:
    """Give each machine that is on its addresses. One query, however many; none where none is on."""
    rows = {row.pk: row for row in domains}
    on = [row.pk for row in rows.values() if row.on]
    if not on:
        return
    found: dict[int, list[str]] = {}
    for key, address in GuestAddress.objects.filter(domain__in=on).values_list("domain", "address"):
        found.setdefault(key, []).append(address)
    for key, addresses in found.items():
        rows[key].ips = list(dict.fromkeys(addresses))


def _address(row: GuestAddress) -> ShownAddress:
    sources = [words for name, words in SOURCES.items() if getattr(row, name)]
    return ShownAddress(row.address, row.prefix, row.mac, ", ".join(sources))


def _filesystems(guest: Guest) -> list[ShownFilesystem]:
    return [
        ShownFilesystem(**one, percent=round(100 * one["used_bytes"] / one["total_bytes"]))
        for one in guest.filesystems
        if one["total_bytes"]
    ]
