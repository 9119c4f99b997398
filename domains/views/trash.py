"""The trash: what is in it, one machine of it, and the way back or out."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.conf import settings
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe
from django.views.decorators.vary import vary_on_headers

from accounts.models import User
from accounts.permissions import Verb
from core.errors import InvalidInput
from core.http import idempotency_key, signed_in, typed
from domains import trash as content
from domains.actions import trash as action
from domains.models import Trashed
from domains.views.delete import chosen

PAGE_SIZE = 50


@require_safe
@vary_on_headers("HX-Request")
def trash(request: HttpRequest) -> HttpResponse:
    """What is in it, newest first."""
    search = typed(request.GET, "q", most=content.MOST_SEARCH)
    rows = content.entries(signed_in(request), text=search)
    page = Paginator(rows, PAGE_SIZE).get_page(request.GET.get("page"))
    context = {
        "page": page,
        "entries": content.shown(page.object_list),
        "search": search,
        "days": settings.TRASH_DAYS,
    }
    template = "domains/_trash.html" if request.headers.get("HX-Request") else "domains/trash.html"
    return render(request, template, context)


@require_http_methods(["GET", "HEAD", "POST"])
def restore(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """GET shows the machine in the trash and what is in its way; POST restores it."""
    user = signed_in(request)
    entry = _entry(user, uuid)
    if request.method != "POST":
        return render(request, "domains/trashed.html", _context(entry))
    name = request.POST.get("name", "").strip()
    try:
        operation = action.restore(
            entry=entry,
            actor=user,
            name=name,
            new_macs=bool(request.POST.get("new_macs")),
            idempotency_key=idempotency_key(request),
        )
    except InvalidInput as problem:
        if request.headers.get("HX-Request"):
            raise
        context = _context(entry) | {"problem": problem, "name": name}
        return render(request, "domains/trashed.html", context, status=problem.status)
    if request.headers.get("HX-Request"):
        return render(request, "operations/_started.html", {"operation": operation})
    return redirect("operations:detail", operation.pk)


@require_POST
def purge(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Delete it for good, with the disks that were ticked."""
    user = signed_in(request)
    operation = action.purge(
        entry=_entry(user, uuid),
        volumes=chosen(request),
        actor=user,
        idempotency_key=idempotency_key(request),
    )
    return redirect("operations:detail", operation.pk)


@require_POST
def drop(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Take its entry out of the trash and touch nothing."""
    user = signed_in(request)
    action.drop(entry=_entry(user, uuid), actor=user)
    return redirect("domains:trash")


def _entry(user: User, uuid: UUID) -> Trashed:
    rows = Trashed.objects.permitted(user, Verb.DOMAIN_DELETE).listed()
    entry: Trashed = get_object_or_404(rows.select_related("domain__team", "host", "by"), domain__uuid=uuid)
    return entry


def _context(entry: Trashed) -> dict[str, Any]:
    (shown,) = content.shown([entry])
    return {
        "shown": shown,
        "entry": entry,
        "domain": entry.domain,
        "name": entry.domain.name,
        "taken": action.macs_taken(entry),
        "disks": action.disks_of(entry),
        "doomed": {disk.path for disk in entry.disks.all() if disk.doomed},
    }
