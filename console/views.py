"""The console page: the whole window is the screen."""

from __future__ import annotations

from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from console import closing
from core.http import signed_in
from domains import machine


@require_safe
def screen(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """The page; its script asks for a ticket by itself, and again after each interruption."""
    user = signed_in(request)
    domain = machine.find(user, uuid)
    if domain is None or machine.is_gone(domain) or not domain.may_console:  # type: ignore[attr-defined]
        raise Http404
    context = machine.header(user, domain) | {"closings": closing.table()}
    return render(request, "console/screen.html", context)
