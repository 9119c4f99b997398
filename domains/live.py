"""The live pieces of machines' pages. Each is the file that the page includes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.template.loader import render_to_string

from accounts.models import User
from core.live import fragment
from domains import asked, definitions, device_pages, guests, hardware, machine, option_pages
from domains.models import Domain
from domains.option_forms import FORMS
from domains.snapshots import showing

Context = Callable[[User, Domain], dict[str, Any]]


@fragment("domains")
def table(user: User, key: str) -> str | None:
    """Only tells that the list may have changed; which part of it a page shows, the page knows."""
    return "" if key == "all" else None


@fragment("trash")
def trash(user: User, key: str) -> str | None:
    """Only tells that something came into the trash or left it; the page asks for what it shows."""
    return "" if key == "all" else None


@fragment("screen")
def screen(user: User, key: str) -> str | None:
    """Only tells that there is a newer picture; the page loads it while it is visible."""
    domain = _machine(user, key)
    return None if domain is None or machine.is_gone(domain) else ""


@fragment("preflight")
def preflight(user: User, key: str) -> str | None:
    """What both hosts said of a move."""
    try:
        question = UUID(key)
    except ValueError:
        return None
    told = asked.told(user, question)
    if told is None:
        return None
    return render_to_string("domains/_asked.html", {"question": question, "told": told})


@fragment("domain-definition", event="domain")
def definition(user: User, key: str) -> str | None:
    """The definition with its history."""
    return _definition(user, key, "domains/_definition.html", definitions.shown)


@fragment("running-definition")
def running_definition(user: User, key: str) -> str | None:
    """The document of a machine's run, once a worker has read it."""
    return _definition(user, key, "domains/_running.html", definitions.running)


def _definition(user: User, key: str, template: str, context: Context) -> str | None:
    domain = _machine(user, key)
    if domain is None or machine.is_gone(domain) or not domain.may_read_definition:  # type: ignore[attr-defined]
        return None
    return render_to_string(template, context(user, domain))


def _piece(kind: str, template: str, context: Context, *, gone: str = "") -> None:
    """Register a piece that is drawn anew whenever its machine changed; of one that is gone, by the template `gone`."""

    def render(user: User, key: str) -> str | None:
        domain = _machine(user, key)
        if domain is None:
            return None
        name = gone if machine.is_gone(domain) else template
        return render_to_string(f"domains/{name}", context(user, domain)) if name else None

    fragment(kind, event="domain")(render)


def _machine(user: User, key: str) -> Domain | None:
    try:
        return machine.find(user, UUID(key))
    except ValueError:
        return None


_piece("domain-row", "_row.html", machine.usage)
_piece("domain-name", "_name.html", machine.plain)
_piece("domain-state", "_state.html", machine.header, gone="_gone.html")
_piece("domain-drift", "_drift.html", machine.plain)
_piece("domain-usage", "_usage.html", machine.usage)
_piece("domain-facts", "_facts.html", machine.facts)
_piece("domain-disks", "_disks.html", machine.disks)
_piece("domain-hardware-disks", "_hardware_disks.html", hardware.disks)
_piece("domain-nics", "_nics.html", machine.nics)
_piece("domain-hardware-nics", "_hardware_nics.html", device_pages.cards)
_piece("domain-hardware-devices", "_hardware_devices.html", device_pages.devices)
_piece("domain-pending", "_pending.html", option_pages.pending)
for _group in FORMS:
    _piece(f"domain-option-{_group}", f"_option_{_group}.html", option_pages.piece(_group))
_piece("domain-snapshots", "_snapshots.html", showing.tree)
_piece("domain-snapshot-ways", "_snapshot_ways.html", showing.taking)
_piece("domain-snapshot-rule", "_snapshot_rule.html", showing.rule)
_piece("domain-guest", "_guest.html", guests.of)
_piece("domain-guest-facts", "_guest_facts.html", guests.of)
# A creation that failed is taken back; its story must stay in sight of who waits for it.
_piece("domain-activity", "_activity.html", machine.activity, gone="_activity.html")
