"""Pieces of pages that show hosts."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.template.loader import render_to_string

from accounts.models import User
from accounts.permissions import Verb
from accounts.scoping import allowed
from core.live import fragment
from hosts import acceleration
from hosts.checks import shown
from hosts.models import Host

MOST_EVENTS = 12


def facts_of(host: Host) -> dict[str, Any]:
    """What `hosts/_facts.html` shows."""
    return {"host": host, "note": acceleration.note(host)}


def checks_of(user: User, host: Host) -> dict[str, Any]:
    """What `hosts/_checks.html` and `hosts/_checks_summary.html` show."""
    checks = shown.checks(host)
    return {
        "host": host,
        "checks": checks,
        "summary": shown.summary(checks),
        "may_manage": allowed(user, Verb.HOST_MANAGE, host),
    }


def events_of(host: Host) -> dict[str, Any]:
    """What `hosts/_events.html` shows."""
    return {"host": host, "events": host.events.all()[:MOST_EVENTS]}


def find(user: User, key: str) -> Host | None:
    """The host that a piece is about, None where the person may not know of it."""
    try:
        uuid = UUID(key)
    except ValueError:
        return None
    host: Host | None = Host.objects.permitted(user, Verb.HOST_VIEW).present().filter(uuid=uuid).first()
    return host


@fragment("hosts")
def table(user: User, key: str) -> str | None:
    """Only tells that the list may have changed."""
    return "" if key == "all" and user.can(Verb.HOST_VIEW) else None


@fragment("host")
def facts(user: User, key: str) -> str | None:
    """State, KVM note and facts on the host's page."""
    host = find(user, key)
    return None if host is None else render_to_string("hosts/_facts.html", facts_of(host))


@fragment("host-events", event="host")
def events(user: User, key: str) -> str | None:
    """What happened to it lately."""
    host = find(user, key)
    return None if host is None else render_to_string("hosts/_events.html", events_of(host))


@fragment("host-checks")
def checks(user: User, key: str) -> str | None:
    """Its checks, one by one as they end."""
    host = find(user, key)
    return None if host is None else render_to_string("hosts/_checks.html", checks_of(user, host))


@fragment("host-summary", event="host-checks")
def summary(user: User, key: str) -> str | None:
    """Its checks in one line, on its own page."""
    host = find(user, key)
    return None if host is None else render_to_string("hosts/_summary.html", checks_of(user, host))


@fragment("host-row", event="host")
def row(user: User, key: str) -> str | None:
    """One line of the list."""
    host = find(user, key)
    return None if host is None else render_to_string("hosts/_row.html", {"host": host})
