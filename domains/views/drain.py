"""Empty a host for its maintenance, and bring its machines back."""

from __future__ import annotations

from uuid import UUID, uuid4

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from accounts.models import User
from accounts.permissions import Verb
from core.http import idempotency_key, signed_in
from domains.actions import drain as action
from domains.draining import LABELS, Fate, last_done, running_on
from domains.models import Domain
from hosts.models import Host


@require_http_methods(["GET", "HEAD", "POST"])
def drain(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """GET asks what is to become of each machine; POST begins."""
    user = signed_in(request)
    host = _manageable(user, uuid)
    machines = running_on(host)
    if request.method == "POST":
        operation = action.drain(
            host=host,
            fates=_fates(request, machines),
            otherwise=Fate.MOVE,
            actor=user,
            idempotency_key=idempotency_key(request),
        )
        return redirect("operations:detail", operation.pk)
    context = {
        "host": host,
        "machines": machines,
        "fates": LABELS.items(),
        "key": uuid4(),
        "away": last_done(host),
    }
    return render(request, "domains/drain.html", context)


@require_POST
def bring_back(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """End the maintenance, and bring back what it had sent away."""
    user = signed_in(request)
    host = _manageable(user, uuid)
    operation = action.bring_back(host=host, actor=user, idempotency_key=idempotency_key(request))
    return redirect("operations:detail", operation.pk)


def _manageable(user: User, uuid: UUID) -> Host:
    host: Host = get_object_or_404(Host.objects.permitted(user, Verb.HOST_MANAGE).present(), uuid=uuid)
    return host


def _fates(request: HttpRequest, machines: list[Domain]) -> dict[UUID, Fate]:
    """What was chosen; a word that is none counts as a move."""
    chosen = {machine.uuid: request.POST.get(f"fate-{machine.uuid}", "") for machine in machines}
    return {uuid: Fate(word) if word in set(Fate) else Fate.MOVE for uuid, word in chosen.items()}
