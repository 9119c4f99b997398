"""Start, shut down and the like: one POST each."""

from __future__ import annotations

from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_POST

from core.http import idempotency_key, signed_in
from domains.actions import power as action
from domains.models import Domain
from domains.power import RULES, PowerVerb


@require_POST
def power(request: HttpRequest, uuid: UUID, verb: str) -> HttpResponse:
    """Ask for `verb`; the answer is the operation, which speaks for itself from then on."""
    if verb not in tuple(PowerVerb):
        raise Http404
    user = signed_in(request)
    domains = (
        Domain.objects.permitted(user, RULES[PowerVerb(verb)].verb).present().select_related("host", "team")
    )
    domain = get_object_or_404(domains, uuid=uuid)
    operation = action.power(
        verb=PowerVerb(verb), domain=domain, actor=user, idempotency_key=idempotency_key(request)
    )
    return render(request, "operations/_started.html", {"operation": operation})
