"""The page of one virtual machine."""

from __future__ import annotations

from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from core.http import signed_in
from domains import guests, machine
from domains.views import tab


@require_safe
def detail(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """The machine, or (410) what became of it; its pieces follow by themselves."""
    return tab.show(
        request,
        tab.found(request, uuid),
        "overview",
        "domains/detail.html",
        machine.activity,
        machine.facts,
        machine.usage,
        machine.disks,
        machine.nics,
        guests.of,
    )


@require_safe
def usage(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """What it uses now: a piece of its page, which asks for it when there is something newer."""
    domain = tab.found(request, uuid)
    if machine.is_gone(domain):
        raise Http404
    return render(request, "domains/_usage.html", machine.usage(signed_in(request), domain))
