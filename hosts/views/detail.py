"""One host: what a person checks before trusting it."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST, require_safe

from accounts.permissions import Verb
from core.http import signed_in
from hosts import live
from hosts.actions.maintenance import set_maintenance
from hosts.models import Host
from hosts.views.manage import managed


@require_safe
def detail(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Its facts as last seen; what lies on it comes from the rooms above."""
    user = signed_in(request)
    host = get_object_or_404(Host.objects.permitted(user, Verb.HOST_VIEW).present(), uuid=uuid)
    context = {**live.facts_of(host), **live.checks_of(user, host), **live.events_of(host)}
    return render(request, "hosts/detail.html", context)


@require_POST
def maintenance(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """On: no new machines are placed here. Off: they are again."""
    host = managed(request, uuid)
    on = request.POST.get("on") == "yes"
    set_maintenance(host=host, actor=signed_in(request), on=on)
    messages.success(request, f"{host.name} {'is in' if on else 'is no longer in'} maintenance.")
    return redirect("hosts:detail", uuid=host.uuid)
