"""The first page."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe
from django.views.decorators.vary import vary_on_headers

from core.http import signed_in
from dashboard import summary


@require_safe
@vary_on_headers("HX-Request")
def overview(request: HttpRequest) -> HttpResponse:
    """Hosts, capacity, what runs, what needs attention; for htmx without the frame."""
    template = "dashboard/_overview.html" if request.headers.get("HX-Request") else "dashboard/overview.html"
    return render(request, template, {"overview": summary.overview(signed_in(request))})
