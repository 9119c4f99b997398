"""Top: every machine that is on, by what it uses."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe
from django.views.decorators.vary import vary_on_headers

from core.http import signed_in
from domains.heads import head, options, pages
from monitoring import listing

LIVE = "top-live"
WORDS = (("name", "Name"), ("host", "Host"))
NUMBERS = (
    ("cpu", "CPU"),
    ("memory", "Memory"),
    ("reads", "Read"),
    ("writes", "Written"),
    ("rx", "Received"),
    ("tx", "Sent"),
    ("time", "CPU time"),
)


# The whole page and the table alone have one address: without Vary a browser's "back" would show the table alone.
@require_safe
@vary_on_headers("HX-Request")
def top(request: HttpRequest) -> HttpResponse:
    """The page; for htmx the table alone, with the address that asks for the same again."""
    found = listing.find(signed_in(request), listing.Wanted.read(request.GET))
    context = _context(found, request.path)
    if request.headers.get("HX-Request") != "true":
        return render(request, "monitoring/top.html", context)
    response = render(request, "monitoring/_table.html", context)
    if request.headers.get("HX-Trigger") != LIVE:  # there numbers changed by themselves: nobody went anywhere
        response["HX-Push-Url"] = context["here"]
    return response


def _context(found: listing.Top, path: str) -> dict[str, Any]:
    wanted = found.wanted
    heads = [head(wanted, path, key, title, "") for key, title in WORDS]
    heads += [head(wanted, path, key, title, "number", largest_first=True) for key, title in NUMBERS]
    return {
        "top": found,
        "wanted": wanted,
        "columns": heads,
        "count": f"{found.total:,}",
        "host_options": options(((host.uuid, host.name) for host in found.hosts), wanted.host),
        "team_options": options(((team.pk, team.name) for team in found.teams), wanted.team),
        "here": path + wanted.query(),
    } | pages(wanted, path, shown=len(found.rows), total=found.total)
