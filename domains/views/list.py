"""The list of virtual machines over all hosts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.html import format_html_join
from django.utils.safestring import SafeString, mark_safe
from django.views.decorators.http import require_safe
from django.views.decorators.vary import vary_on_headers

from core.http import signed_in
from domains import listing
from domains.models import DomainState

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


# The whole page and the table alone have one address: without Vary a browser's "back" would show the table alone.
@require_safe
@vary_on_headers("HX-Request")
def machines(request: HttpRequest) -> HttpResponse:
    """The page; for htmx the table alone, with the address that asks for the same again."""
    found = listing.find(signed_in(request), listing.Wanted.read(request.GET))
    context = _context(found, request.path)
    headers = request.headers
    if headers.get("HX-Request") != "true":
        return render(request, "domains/list.html", context)
    response = render(request, "domains/_table.html", context)
    if headers.get("HX-Trigger") != LIVE:  # there machines changed by themselves: nobody went anywhere
        response["HX-Push-Url"] = context["here"]
    return response


def _context(found: listing.Listing, path: str) -> dict[str, Any]:
    wanted = found.wanted
    start = (wanted.page - 1) * wanted.size
    return {
        "listing": found,
        "wanted": wanted,
        "columns": [_column(wanted, path, *column) for column in COLUMNS],
        "states": _states(found, path),
        "host_options": _options(((host.uuid, host.name) for host in found.hosts), wanted.host),
        "team_options": _options(((team.pk, team.name) for team in found.teams), wanted.team),
        "range": f"{start + 1:,}–{start + len(found.rows):,} of {found.total:,}",
        "here": path + wanted.query(),
        "previous": path + replace(wanted, page=wanted.page - 1).query() if wanted.page > 1 else "",
        "next": path + replace(wanted, page=wanted.page + 1).query() if wanted.page < found.pages else "",
    }


def _options(choices: Iterable[tuple[object, str]], chosen: object) -> SafeString:
    """For a hundred hosts a loop in the template would take as long as all the rest of the page's frame."""
    marks = ((value, mark_safe(" selected") if value == chosen else "", words) for value, words in choices)
    return format_html_join("", '<option value="{}"{}>{}</option>', marks)


def _column(wanted: listing.Wanted, path: str, key: str, title: str, classes: str) -> dict[str, str]:
    """A column's head: where a click on it leads, and for screen readers how the table is sorted by it now."""
    down = f"-{key}"
    return {
        "key": key,
        "title": title,
        "classes": classes,
        "address": path + replace(wanted, sort=down if wanted.sort == key else key, page=1).query(),
        "sorted": {key: "ascending", down: "descending"}.get(wanted.sort, ""),
    }


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
