"""The list of virtual machines over all hosts."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe
from django.views.decorators.vary import vary_on_headers

from accounts.models import User
from accounts.permissions import Verb
from core.http import signed_in
from domains import listing
from domains.heads import head, options, pages
from domains.models import DomainState
from domains.power import RULES, PowerVerb

LIVE = "machines-live"
COLUMNS = (
    ("state", "State", ""),
    ("name", "Name", ""),
    ("host", "Host", ""),
    ("vcpus", "vCPUs", "number"),
    ("memory", "Memory", "number"),
    ("team", "Team, owner", ""),
)
# The two that people look for stand first; a state in which there is no machine has no tab.
TABS = (DomainState.RUNNING, DomainState.OFF, *(s for s in DomainState if s not in ("running", "off")))


# What is done with the machines that are chosen; the boxes that are ticked, and the filters for "all that match".
_BUTTONS = (PowerVerb.START, PowerVerb.SHUTDOWN, PowerVerb.REBOOT)
_CHOICES = [{"verb": verb, "rule": rule} for verb, rule in RULES.items()]
BAR = {
    "bulk_buttons": [choice for choice in _CHOICES if choice["verb"] in _BUTTONS],
    "bulk_menu": [choice for choice in _CHOICES if choice["verb"] not in _BUTTONS],
    "picked": "[data-pick]:checked, #picked-all, #filters",
}


# The whole page and the table alone have one address: without Vary a browser's "back" would show the table alone.
@require_safe
@vary_on_headers("HX-Request")
def machines(request: HttpRequest) -> HttpResponse:
    """The page; for htmx the table alone, with the address that asks for the same again."""
    user = signed_in(request)
    found = listing.find(user, listing.Wanted.read(request.GET))
    context = _context(user, found, request.path)
    headers = request.headers
    if headers.get("HX-Request") != "true":
        return render(request, "domains/list.html", context | BAR)
    response = render(request, "domains/_table.html", context)
    if headers.get("HX-Trigger") != LIVE:  # there machines changed by themselves: nobody went anywhere
        response["HX-Push-Url"] = context["here"]
    return response


def _context(user: User, found: listing.Listing, path: str) -> dict[str, Any]:
    wanted = found.wanted
    return {
        "listing": found,
        "wanted": wanted,
        "columns": [head(wanted, path, *column) for column in COLUMNS],
        "states": _states(found, path),
        "host_options": options(((host.uuid, host.name) for host in found.hosts), wanted.host),
        "team_options": options(((team.pk, team.name) for team in found.teams), wanted.team),
        "here": path + wanted.query(),
        # Who sees all and may switch none has nothing to choose.
        "choosing": user.can(Verb.DOMAIN_POWER) or not user.can(Verb.DOMAIN_VIEW),
        "matching": replace(wanted, page=1, sort=wanted.usual).query(),
    } | pages(wanted, path, shown=len(found.rows), total=found.total)


def _states(found: listing.Listing, path: str) -> list[dict[str, str | bool]]:
    """The states that occur, and the wanted one, as filters with their counts; first all of them."""
    wanted = found.wanted
    everything = ("", "All", sum(found.states.values()))
    each = ((state.value, state.label, found.states.get(state.value, 0)) for state in TABS)
    return [
        {
            "state": state,
            "label": label,
            "count": f"{count:,}",
            "address": path + replace(wanted, state=state, page=1).query(),
            "chosen": state == wanted.state,
        }
        for state, label, count in (everything, *each)
        if count or not state or state == wanted.state
    ]
