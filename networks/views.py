"""Virtual networks, and who is plugged in where."""

from __future__ import annotations

from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe
from django.views.decorators.vary import vary_on_headers

from accounts.permissions import Verb
from accounts.scoping import require
from core.http import signed_in
from networks import listing


@require_safe
@vary_on_headers("HX-Request")
def list_(request: HttpRequest) -> HttpResponse:
    """All networks of all hosts."""
    user = signed_in(request)
    require(user, Verb.NETWORK_VIEW)
    template = "networks/_list.html" if request.headers.get("HX-Request") else "networks/list.html"
    context = {"networks": listing.networks(user), "bridges": listing.bridges(user)}
    return render(request, template, context)


@require_safe
@vary_on_headers("HX-Request")
def detail(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """One network, drawn with what is plugged in."""
    network = listing.find_network(signed_in(request), uuid, request.GET.get("host", ""))
    if network is None:
        raise Http404
    template = "networks/_detail.html" if request.headers.get("HX-Request") else "networks/detail.html"
    return render(request, template, {"network": network, "plugs": listing.plugs(network)})
