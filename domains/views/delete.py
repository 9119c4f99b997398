"""Delete a virtual machine: a page that says what goes and what stays, and the deed; and protection from it."""

from __future__ import annotations

from uuid import UUID

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from accounts.permissions import Verb
from core.errors import InvalidInput
from core.http import idempotency_key, signed_in
from domains.actions import delete as action
from domains.actions.protect import protect as set_protection
from domains.models import Domain


@require_http_methods(["GET", "HEAD", "POST"])
def delete(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """GET asks once more; POST moves it to the trash or, with its name typed, deletes it at once."""
    user = signed_in(request)
    domains = Domain.objects.permitted(user, Verb.DOMAIN_DELETE).present().select_related("host", "team")
    domain = get_object_or_404(domains.with_rights(user, may_edit=Verb.DOMAIN_EDIT), uuid=uuid)
    at_once = not settings.TRASH_DAYS or request.POST.get("how") == "at-once"
    context = {
        "domain": domain,
        "disks": action.disks_of(domain),
        "snapshots": domain.snapshots.filter(gone_at=None).count(),
        "days": settings.TRASH_DAYS,
        "at_once": at_once,
        "typed": request.POST.get("name", ""),
    }
    if request.method != "POST":
        return render(request, "domains/delete.html", context)
    if at_once and context["typed"] != domain.name:
        context["error"] = "This is not its name."
        return render(request, "domains/delete.html", context, status=422)
    way = action.delete if at_once else action.trash
    operation = way(
        domain=domain, volumes=chosen(request), actor=user, idempotency_key=idempotency_key(request)
    )
    return redirect("operations:detail", operation.pk)


@require_POST
def protect(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Protect it from being deleted."""
    return _protection(request, uuid, protected=True)


@require_POST
def unprotect(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Lift the protection."""
    return _protection(request, uuid, protected=False)


def _protection(request: HttpRequest, uuid: UUID, *, protected: bool) -> HttpResponse:
    user = signed_in(request)
    domain = get_object_or_404(Domain.objects.permitted(user, Verb.DOMAIN_EDIT).present(), uuid=uuid)
    set_protection(domain=domain, protected=protected, actor=user)
    if request.headers.get("HX-Request"):
        return HttpResponse(status=204)  # the page follows by itself
    return redirect("domains:delete" if not protected else "domains:detail", uuid)


def chosen(request: HttpRequest) -> list[UUID]:
    """The disks that were ticked. Raises InvalidInput."""
    try:
        return [UUID(text) for text in request.POST.getlist("volumes")]
    except ValueError:
        raise InvalidInput("This is not a disk.", field="volumes") from None
