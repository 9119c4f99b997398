"""Who is plugged into a network: rooms above this one register how to find out."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from hosts.models import Host


@dataclass(frozen=True, slots=True)
class Plug:
    """One card in a network: its owner's name and page, the card's MAC address and model, whether it is on."""

    name: str
    url: str
    mac: str
    model: str
    on: bool


# Of these networks (by name) or bridges on this host: what is plugged into each. One call, whatever their number.
Check = Callable[[Host, Collection[str]], Mapping[str, list[Plug]]]

_checks: list[Check] = []


def register(check: Check) -> Check:
    """Ask `check`, too, from now on."""
    _checks.append(check)
    return check


def into(host: Host, sources: Collection[str]) -> dict[str, list[Plug]]:
    """By network or bridge, everything that is plugged into it; those that are empty are missing."""
    found: dict[str, list[Plug]] = {}
    for check in _checks:
        for source, plugs in check(host, sources).items():
            found.setdefault(source, []).extend(plugs)
    return found
