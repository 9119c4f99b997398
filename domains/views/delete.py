"""Delete a virtual machine: a page that says what goes and what stays, and the deed."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods

from accounts.permissions import Verb
from core.errors import InvalidInput
from core.http import idempotency_key, signed_in
from domains.actions import delete as action
from domains.models import Domain


@require_http_methods(["GET", "HEAD", "POST"])
def delete(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """GET asks once more; POST, with the machine's name typed, deletes."""
    user = signed_in(request)
    domains = Domain.objects.permitted(user, Verb.DOMAIN_DELETE).present().select_related("host", "team")
    domain = get_object_or_404(domains, uuid=uuid)
    context = {"domain": domain, "disks": action.disks_of(domain), "typed": request.POST.get("name", "")}
    if request.method != "POST":
        return render(request, "domains/delete.html", context)
    if context["typed"] != domain.name:
        context["error"] = "This is not its name."
        return render(request, "domains/delete.html", context, status=422)
    operation = action.delete(
        domain=domain,
        volumes=_chosen(request),
        actor=user,
        idempotency_key=idempotency_key(request),
    )
    return redirect("operations:detail", operation.pk)


def _chosen(request: HttpRequest) -> list[UUID]:
    try:
        return [UUID(text) for text in request.POST.getlist("volumes")]
    except ValueError:
        raise InvalidInput("This is not a disk.", field="volumes") from None
