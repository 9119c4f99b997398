"""What hosts have, and what is free of it."""

from __future__ import annotations

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe
from django.views.decorators.vary import vary_on_headers

from accounts.permissions import Verb
from accounts.scoping import require
from core.http import signed_in
from dashboard import capacity as capacities

PER_PAGE = 100


@require_safe
@vary_on_headers("HX-Request")
def capacity(request: HttpRequest) -> HttpResponse:
    """CPU, memory and storage of every host, and in all; for htmx without the frame."""
    user = signed_in(request)
    require(user, Verb.HOST_VIEW)
    found = capacities.find(user)
    context = {
        "capacity": found,
        "page": Paginator(found.rows, PER_PAGE).get_page(request.GET.get("page")),
    }
    template = "dashboard/_capacity.html" if request.headers.get("HX-Request") else "dashboard/capacity.html"
    return render(request, template, context)
