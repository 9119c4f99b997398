"""Which kinds of operations no team may ask for, so that none may cancel them either. Rooms say it when they load:
the procedures, which know the right of every kind, are loaded by workers only."""

from __future__ import annotations

from accounts.permissions import TEAM_ROLES, Verb, roles_with


def _beyond(verb: Verb) -> bool:
    return roles_with(verb).isdisjoint(TEAM_ROLES)


# A kind is called like the right that it needs, where there is one of that name.
_kinds: set[str] = {verb.value for verb in Verb if _beyond(verb)}


def register(kind: str, verb: Verb) -> None:
    """Say that operations of `kind` need `verb`."""
    if _beyond(verb):
        _kinds.add(kind)


def beyond_teams() -> list[str]:
    """The kinds that only people with a role everywhere may ask for."""
    return sorted(_kinds)
