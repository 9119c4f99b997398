"""The list, one operation, its cancel button, and the drawer that follows a person from page to page."""

from __future__ import annotations

from uuid import UUID

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST, require_safe
from django.views.decorators.vary import vary_on_headers

from accounts.models import User
from accounts.permissions import Verb
from core.http import signed_in
from operations import actions, live, targets
from operations.listing import Wanted
from operations.models import ACTIVE, Operation, OperationState

PAGE_SIZE = 50
# More than this many at once are counted, not shown one by one.
MOST_ACTIVE = 50


@require_safe
@vary_on_headers("HX-Request")
def list_(request: HttpRequest) -> HttpResponse:
    """What waits and runs, then what has ended, newest first."""
    user = signed_in(request)
    wanted = Wanted.read(request.GET.dict())
    rows = wanted.of(user)
    history = Paginator(rows.exclude(state__in=ACTIVE), PAGE_SIZE).get_page(request.GET.get("page"))
    context = {
        "wanted": wanted,
        "active": rows.filter(state__in=ACTIVE)[:MOST_ACTIVE] if history.number == 1 else [],
        "page": history,
        "outcomes": OperationState.choices,
        "target_kinds": targets.kinds(),
        "kinds": _kinds(user),
        "people": _people(user),
    }
    template = "operations/_list.html" if request.headers.get("HX-Request") else "operations/list.html"
    return render(request, template, context)


@require_safe
def detail(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Steps, log, and what to do where it failed."""
    operation = get_object_or_404(Wanted().of(signed_in(request)), pk=pk)
    return render(request, "operations/detail.html", live.story(operation))


@require_POST
def cancel(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Ask it to stop; the answer follows it to its end."""
    user = signed_in(request)
    operation = get_object_or_404(Operation.objects.permitted(user, Verb.OPERATION_CANCEL), pk=pk)
    operation = actions.cancel(operation=operation, actor=user)
    if request.headers.get("HX-Request"):
        return render(request, "operations/_started.html", {"operation": operation})
    return redirect("operations:detail", operation.pk)


@require_safe
def drawer(request: HttpRequest) -> HttpResponse:
    """The person's own operations that run, or ended a moment ago."""
    return HttpResponse(live.drawer_of(signed_in(request)))


def _kinds(user: User) -> list[str]:
    visible = Operation.objects.permitted(user, Verb.OPERATION_VIEW)
    return list(visible.order_by("kind").values_list("kind", flat=True).distinct())


def _people(user: User) -> list[str]:
    visible = Operation.objects.permitted(user, Verb.OPERATION_VIEW).order_by()
    people = User.objects.filter(pk__in=visible.values("actor").distinct())
    return list(people.order_by("username").values_list("username", flat=True))
