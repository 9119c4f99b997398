"""The tab on which a machine's definition is read: as it is, as it runs, and as it was."""

from __future__ import annotations

from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.views.decorators.http import require_POST, require_safe

from accounts.permissions import Verb
from core.http import signed_in
from domains import definitions, running
from domains.actions import define as action
from domains.models import Domain
from domains.views import tab
from hypervisor.xml.differences import differences, line_differences


@require_safe
def definition(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """The definition in force as it was last seen, and its history."""
    return tab.show(
        request, readable(request, uuid), "definition", "domains/definition.html", definitions.shown
    )


@require_safe
def running_definition(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """The document of this run, which a worker reads meanwhile."""
    domain = readable(request, uuid)
    if domain.held:
        running.ask(domain)
    return tab.show(request, domain, "definition", "domains/running.html", definitions.running)


@require_safe
def version(request: HttpRequest, uuid: UUID, number: int) -> HttpResponse:
    """One version: what it changed, and all of it."""
    domain = readable(request, uuid)
    found = get_object_or_404(domain.versions.select_related("author", "domain"), number=number)
    older = definitions.before(found)
    return tab.show(
        request,
        domain,
        "definition",
        "domains/version.html",
        version=found,
        older=older,
        words=differences(older.xml, found.xml) if older else [],
        lines=line_differences(older.xml, found.xml) if older else [],
        text=definitions.text(found.xml),
        in_force=found.sha == domain.xml_sha,
    )


@require_POST
def accept_change(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Let a change from beside the panel stand."""
    domains = Domain.objects.permitted(signed_in(request), Verb.DOMAIN_EDIT).present()
    domain = get_object_or_404(domains, uuid=uuid)
    action.accept(domain=domain, actor=signed_in(request))
    if request.headers.get("HX-Request"):
        return HttpResponse(status=204)  # the page follows by itself
    return redirect("domains:detail", domain.uuid)


def readable(request: HttpRequest, uuid: UUID) -> Domain:
    """A machine whose definition the person may read. Raises Http404 for any other."""
    domain = tab.found(request, uuid)
    if not domain.may_read_definition:  # type: ignore[attr-defined]
        raise Http404
    return domain
