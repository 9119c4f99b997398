"""One line of the table of what may be done to a machine, and what many lines ask for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from accounts.permissions import Verb
from domains.models import Domain, DomainState

# What is in the way beside the state, in words for people; "" where nothing is.
Condition = Callable[[Domain], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One kind of operation. `title` speaks of "{name}"; `states` are those last seen in which it makes sense.

    `also` is asked where the state fits. `warning` is asked before, where something may be lost; `icon` is Tabler's.
    `rare` keeps it out of menus while it makes no sense; `long` is for what may take more than a few minutes.
    """

    label: str
    title: str
    verb: Verb
    states: frozenset[DomainState]
    also: tuple[Condition, ...] = ()
    icon: str = ""
    warning: str = ""
    rare: bool = False
    long: bool = False


def defined(domain: Domain) -> str:
    """In the way of whatever changes its definition."""
    return "" if domain.persistent else f"{domain.name} has no definition: it vanishes when it stops."


def without_saved(domain: Domain) -> str:
    """In the way of whatever its saved memory would not fit afterwards."""
    return f"{domain.name} has saved memory. Start it, or discard that first." if domain.managed_save else ""
