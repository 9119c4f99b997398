"""One power verb on the machines that are chosen in the list."""

from __future__ import annotations

from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_POST

from core.errors import InvalidInput
from core.http import idempotency_key, signed_in
from domains import listing
from domains.actions import bulk as action
from domains.power import PowerVerb


@require_POST
def bulk(request: HttpRequest, verb: str) -> HttpResponse:
    """Ask for `verb` on each `machine`, or with `all` on all that the filters leave; the answer is the operation."""
    if verb not in tuple(PowerVerb):
        raise Http404
    operation = action.bulk(
        verb=PowerVerb(verb),
        machines=_chosen(request),
        actor=signed_in(request),
        idempotency_key=idempotency_key(request),
    )
    return render(request, "operations/_started.html", {"operation": operation})


def _chosen(request: HttpRequest) -> list[UUID]:
    if request.POST.get("all"):
        wanted = listing.Wanted.read(request.POST.dict())
        return listing.matching(signed_in(request), wanted, most=action.MOST + 1)
    try:
        return [UUID(text) for text in request.POST.getlist("machine")]
    except ValueError:
        raise InvalidInput("One of these is no virtual machine.", field="machines") from None
