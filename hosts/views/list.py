"""All hosts."""

from __future__ import annotations

from django.core.paginator import Paginator
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe
from django.views.decorators.vary import vary_on_headers

from accounts.permissions import Verb
from accounts.scoping import require
from core.http import signed_in, typed
from hosts.models import Host, HostState

PER_PAGE = 50


@require_safe
@vary_on_headers("HX-Request")
def hosts(request: HttpRequest) -> HttpResponse:
    """Name, state, machines, CPU, memory, last contact; for htmx the table alone."""
    user = signed_in(request)
    require(user, Verb.HOST_VIEW)
    words = typed(request.GET, "q")
    state = request.GET.get("state", "")
    label = typed(request.GET, "label")
    found = Host.objects.permitted(user, Verb.HOST_VIEW).present().order_by("name")
    labelled = dict(found.values_list("pk", "labels"))
    if words:
        found = found.filter(
            Q(name__icontains=words) | Q(address__icontains=words) | Q(hostname__icontains=words)
        )
    if state in HostState.values:
        found = found.filter(state=state)
    if label:
        # Few hosts, and no way to look into JSON that all databases know.
        found = found.filter(pk__in=[pk for pk, labels in labelled.items() if label in labels])
    context = {
        "page": Paginator(found, PER_PAGE).get_page(request.GET.get("page")),
        "q": words,
        "state": state,
        "states": HostState.choices,
        "label": label,
        "labels": sorted({one for labels in labelled.values() for one in labels}),
        "filtered": bool(words or state or label),
        "may_manage": user.can(Verb.HOST_MANAGE),
    }
    template = "hosts/_table.html" if request.headers.get("HX-Request") else "hosts/list.html"
    return render(request, template, context)
