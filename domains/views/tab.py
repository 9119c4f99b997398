"""What all tabs of a machine's page have in common."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render

from accounts.models import User
from core.http import signed_in
from domains import machine, tabs
from domains.models import Domain

Context = Callable[[User, Domain], dict[str, Any]]


def found(request: HttpRequest, uuid: UUID) -> Domain:
    """The machine, gone or not, with the person's rights on it. Raises Http404 where they may not see it."""
    domain = machine.find(signed_in(request), uuid)
    if domain is None:
        raise Http404
    return domain


def show(
    request: HttpRequest,
    domain: Domain,
    key: str,
    template: str,
    *contexts: Context,
    status: int = 200,
    **more: Any,
) -> HttpResponse:
    """The tab `key` by `template`, which extends `domains/machine.html`; or (410) what became of the machine."""
    user = signed_in(request)
    if machine.is_gone(domain):
        return render(request, "domains/gone.html", machine.activity(user, domain), status=410)
    context = machine.header(user, domain) | {"tabs": tabs.of(domain, key)}
    for piece in contexts:
        context |= piece(user, domain)
    return render(request, template, context | more, status=status)
