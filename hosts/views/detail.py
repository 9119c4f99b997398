"""One host: what a person checks before trusting it."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST, require_safe

from accounts.permissions import Verb
from accounts.scoping import allowed
from core.http import signed_in
from hosts import acceleration, actions
from hosts.models import Host


@require_safe
def detail(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Its facts as last seen; what lies on it comes from the rooms above."""
    user = signed_in(request)
    host = get_object_or_404(Host.objects.permitted(user, Verb.HOST_VIEW).present(), uuid=uuid)
    context = {
        "host": host,
        "note": acceleration.note(host),
        "may_manage": allowed(user, Verb.HOST_MANAGE, host),
    }
    return render(request, "hosts/detail.html", context)


@require_POST
def maintenance(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """On: no new machines are placed here. Off: they are again."""
    user = signed_in(request)
    host = get_object_or_404(Host.objects.permitted(user, Verb.HOST_MANAGE).present(), uuid=uuid)
    on = request.POST.get("on") == "yes"
    actions.set_maintenance(host=host, actor=user, on=on)
    messages.success(request, f"{host.name} {'is in' if on else 'is no longer in'} maintenance.")
    return redirect("hosts:detail", uuid=host.uuid)
