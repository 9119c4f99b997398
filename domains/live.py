"""The live pieces of machines' pages. Each is the file that the page includes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.template.loader import render_to_string

from accounts.models import User
from core.live import fragment
from domains import machine
from domains.models import Domain

Context = Callable[[User, Domain], dict[str, Any]]


@fragment("domains")
def table(user: User, key: str) -> str | None:
    """Only tells that the list may have changed; which part of it a page shows, the page knows."""
    return "" if key == "all" else None


@fragment("screen")
def screen(user: User, key: str) -> str | None:
    """Only tells that there is a newer picture; the page loads it while it is visible."""
    return None if _machine(user, key) is None else ""


def _piece(kind: str, template: str, context: Context) -> None:
    """Register a piece that is drawn anew whenever its machine changed."""

    def render(user: User, key: str) -> str | None:
        domain = _machine(user, key)
        return None if domain is None else render_to_string(f"domains/{template}", context(user, domain))

    fragment(kind, event="domain")(render)


def _machine(user: User, key: str) -> Domain | None:
    """The machine; None where it is gone or not the person's to see, which are told alike."""
    try:
        domain = machine.find(user, UUID(key))
    except ValueError:
        return None
    return None if domain is None or machine.is_gone(domain) else domain


_piece("domain-row", "_row.html", machine.plain)
_piece("domain-name", "_name.html", machine.plain)
_piece("domain-state", "_state.html", machine.header)
_piece("domain-facts", "_facts.html", machine.facts)
_piece("domain-disks", "_disks.html", machine.disks)
_piece("domain-nics", "_nics.html", machine.nics)
_piece("domain-activity", "_activity.html", machine.activity)
