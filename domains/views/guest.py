"""The tab on which a machine's guest is seen, and its agent asked."""

from __future__ import annotations

from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST, require_safe

from accounts.permissions import Verb
from core.errors import InvalidInput
from core.http import idempotency_key, signed_in
from domains import guests
from domains.actions import guest as action
from domains.models import Domain
from domains.views import tab
from operations.models import Operation


@require_safe
def guest(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """What it says of itself, and what its agent can be asked for."""
    domain = tab.found(request, uuid)
    return tab.show(request, domain, "guest", "domains/guest.html", guests.of, guests.commands)


@require_POST
def command(request: HttpRequest, uuid: UUID, verb: str) -> HttpResponse:
    """Ask the agent for `verb`; the answer is the operation."""
    if verb not in tuple(action.GuestVerb):
        raise Http404
    operation = action.command(
        verb=action.GuestVerb(verb),
        domain=_domain(request, uuid),
        actor=signed_in(request),
        idempotency_key=idempotency_key(request),
    )
    return _started(request, operation)


@require_POST
def freeze(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Freeze its file systems for so many seconds."""
    domain = _domain(request, uuid)
    text = request.POST.get("seconds", "").strip()
    if not (text.isascii() and text.isdigit() and len(text) < 6):
        raise InvalidInput("Give a number of seconds.", field="seconds")
    operation = action.freeze(
        domain=domain,
        seconds=int(text),
        actor=signed_in(request),
        idempotency_key=idempotency_key(request),
    )
    return _started(request, operation)


@sensitive_post_parameters("password")
@require_POST
def password(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Set the password of one of its accounts. It is never shown again."""
    operation = action.set_password(
        domain=_domain(request, uuid),
        user=request.POST.get("user", "").strip(),
        password=request.POST.get("password", ""),
        actor=signed_in(request),
        idempotency_key=idempotency_key(request),
    )
    return _started(request, operation)


def _domain(request: HttpRequest, uuid: UUID) -> Domain:
    domains = Domain.objects.permitted(signed_in(request), Verb.DOMAIN_GUEST).present()
    found: Domain = get_object_or_404(domains.select_related("host", "team"), uuid=uuid)
    return found


def _started(request: HttpRequest, operation: Operation) -> HttpResponse:
    return render(request, "operations/_started.html", {"operation": operation})
