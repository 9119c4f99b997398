"""The live pieces of the console page."""

from __future__ import annotations

from uuid import UUID

from django.template.loader import render_to_string

from accounts.models import User
from core.live import fragment
from domains import machine


@fragment("console-state", event="domain")
def state(user: User, key: str) -> str | None:
    """State and power in the bar."""
    return _render("_state", user, key)


@fragment("console-start", event="domain")
def start(user: User, key: str) -> str | None:
    """The start button in the middle of a dark screen."""
    return _render("_start", user, key)


def _render(name: str, user: User, key: str) -> str | None:
    try:
        domain = machine.find(user, UUID(key))
    except ValueError:
        return None
    if domain is None or machine.is_gone(domain) or not domain.may_console:  # type: ignore[attr-defined]
        return None
    return render_to_string(f"console/{name}.html", machine.header(user, domain))
