"""Search: a page for Enter in the search field, JSON for the command palette."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from core.http import signed_in, typed
from dashboard import search

MOST_ON_PAGE = 100
MOST_IN_PALETTE = 6


@require_safe
def page(request: HttpRequest) -> HttpResponse:
    """What was found, as a list of links."""
    text = typed(request.GET, "q")
    matches = [m for m in search.find(signed_in(request), text, most=MOST_ON_PAGE) if m.url]
    return render(request, "dashboard/search.html", {"search_text": text, "matches": matches})


@require_safe
def palette(request: HttpRequest) -> JsonResponse:
    """{"results": [{title, hint, url, post}]}"""
    matches = search.find(signed_in(request), typed(request.GET, "q"), most=MOST_IN_PALETTE)
    return JsonResponse({"results": [match.as_dict() for match in matches]})
