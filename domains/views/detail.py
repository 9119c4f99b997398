"""The page of one virtual machine."""

from __future__ import annotations

from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from core.http import signed_in
from domains import machine


@require_safe
def detail(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """The machine, or (410) what became of it; its pieces follow by themselves."""
    user = signed_in(request)
    domain = machine.find(user, uuid)
    if domain is None:
        raise Http404
    context = machine.activity(user, domain)
    if machine.is_gone(domain):
        return render(request, "domains/gone.html", context, status=410)
    context |= machine.header(user, domain) | machine.facts(user, domain)
    context |= machine.usage(user, domain) | machine.disks(user, domain) | machine.nics(user, domain)
    return render(request, "domains/detail.html", context)


@require_safe
def usage(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """What it uses now: a piece of its page, which asks for it when there is something newer."""
    user = signed_in(request)
    domain = machine.find(user, uuid)
    if domain is None or machine.is_gone(domain):
        raise Http404
    return render(request, "domains/_usage.html", machine.usage(user, domain))
