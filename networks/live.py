"""The live pieces of networks' pages: each tells only that the page should fetch what it shows."""

from __future__ import annotations

from uuid import UUID

from accounts.models import User
from accounts.permissions import Verb
from core.live import fragment
from networks import listing


@fragment("networks")
def networks(user: User, key: str) -> str | None:
    """A network changed, came or went."""
    return "" if key == "all" and user.can(Verb.NETWORK_VIEW) else None


@fragment("network")
def network(user: User, key: str) -> str | None:
    """One network changed."""
    try:
        return None if listing.find_network(user, UUID(key)) is None else ""
    except ValueError:
        return None
