"""Pieces of pages that show hosts."""

from __future__ import annotations

from uuid import UUID

from django.template.loader import render_to_string

from accounts.models import User
from accounts.permissions import Verb
from core.live import fragment
from hosts import acceleration
from hosts.models import Host


def _find(user: User, key: str) -> Host | None:
    try:
        uuid = UUID(key)
    except ValueError:
        return None
    host: Host | None = Host.objects.permitted(user, Verb.HOST_VIEW).present().filter(uuid=uuid).first()
    return host


@fragment("host")
def facts(user: User, key: str) -> str | None:
    """State, KVM note and facts on the host's page."""
    host = _find(user, key)
    if host is None:
        return None
    return render_to_string("hosts/_facts.html", {"host": host, "note": acceleration.note(host)})


@fragment("host-row", event="host")
def row(user: User, key: str) -> str | None:
    """One line of the list."""
    host = _find(user, key)
    return None if host is None else render_to_string("hosts/_row.html", {"host": host})
