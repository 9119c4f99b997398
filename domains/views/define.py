"""Changing a machine's definition: it is typed, shown beside the one in force, and applied with one's password."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from accounts import proof
from accounts.permissions import Verb
from core.errors import InvalidInput
from core.http import idempotency_key, signed_in
from domains import definitions, drafts
from domains.actions import define as action
from domains.models import Domain, DomainDraft, DomainVersion
from domains.views import tab


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
def define(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """The editor; what it was begun with comes back with what is posted, and what was typed with every error."""
    domain = _definable(request, uuid)
    base, before = _begun_with(request, domain)
    if request.method != "POST":
        typed = drafts.editable(before) if before else definitions.text(base.xml).plain
        return _editor(request, domain, base, before, typed)
    typed = request.POST.get("xml", "").replace("\r\n", "\n")
    try:
        made = action.draft(domain=domain, base=base, xml=typed, actor=signed_in(request), before=before)
    except InvalidInput as error:
        return _editor(request, domain, base, before, typed, error=error, status=422)
    return redirect("domains:draft", domain.uuid, made.uuid)


def _begun_with(request: HttpRequest, domain: Domain) -> tuple[DomainVersion, DomainDraft | None]:
    """The version that the person changes, and the draft that they go on with."""
    asked = request.POST if request.method == "POST" else request.GET
    key, number = asked.get("draft", ""), asked.get("base", "")
    before = _own_drafts(request, domain).filter(uuid=key).first() if _is_uuid(key) else None
    if before is not None:
        return before.base, before
    if number.isascii() and number.isdecimal() and len(number) < 10:
        return get_object_or_404(domain.versions.all(), number=int(number)), None
    return action.current(domain), None


def _editor(
    request: HttpRequest,
    domain: Domain,
    base: DomainVersion,
    before: DomainDraft | None,
    typed: str,
    *,
    error: InvalidInput | None = None,
    status: int = 200,
) -> HttpResponse:
    context: dict[str, Any] = {"base": base, "before": before, "typed": typed, "error": error}
    context["overtaken"] = drafts.overtaken(domain, base)
    return tab.show(request, domain, "definition", "domains/define.html", status=status, **context)


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
def draft(request: HttpRequest, uuid: UUID, draft_uuid: UUID) -> HttpResponse:
    """GET shows what a draft changes; POST, with the password unless it was just given, applies it."""
    domain = _definable(request, uuid)
    found = get_object_or_404(_own_drafts(request, domain), uuid=draft_uuid)
    if request.method != "POST":
        return _preview(request, domain, found)
    try:
        operation = action.define(
            draft=found,
            ticked=request.POST.getlist("allow"),
            proof=proof.prove(request, request.POST.get("password", "")),
            idempotency_key=idempotency_key(request),
        )
    except InvalidInput as error:
        return _preview(request, domain, found, error=error, status=422)
    return redirect("operations:detail", operation.pk)


def _preview(
    request: HttpRequest,
    domain: Domain,
    found: DomainDraft,
    *,
    error: InvalidInput | None = None,
    status: int = 200,
) -> HttpResponse:
    return tab.show(
        request,
        domain,
        "definition",
        "domains/draft.html",
        status=status,
        draft=found,
        seen=drafts.preview(found),
        overtaken=drafts.overtaken(domain, found.base),
        proved=proof.fresh(request) is not None,
        ticked=request.POST.getlist("allow"),
        error=error,
    )


@require_POST
def discard_draft(request: HttpRequest, uuid: UUID, draft_uuid: UUID) -> HttpResponse:
    """Throw away what one has typed oneself."""
    domain = _definable(request, uuid)
    action.discard(
        draft=get_object_or_404(_own_drafts(request, domain), uuid=draft_uuid), actor=signed_in(request)
    )
    if request.headers.get("HX-Request"):
        return HttpResponse(status=204)  # the page follows by itself
    return redirect("domains:definition", domain.uuid)


@require_POST
def bring_back_version(request: HttpRequest, uuid: UUID, number: int) -> HttpResponse:
    """Begin a draft that is an old version; it is applied like any other."""
    domain = _definable(request, uuid)
    version = get_object_or_404(domain.versions.select_related("domain__host"), number=number)
    made = action.bring_back(version=version, actor=signed_in(request))
    return redirect("domains:draft", domain.uuid, made.uuid)


def _definable(request: HttpRequest, uuid: UUID) -> Domain:
    permitted = Domain.objects.permitted(signed_in(request), Verb.DOMAIN_DEFINE).present()
    get_object_or_404(permitted, uuid=uuid)
    return tab.found(request, uuid)


def _own_drafts(request: HttpRequest, domain: Domain) -> Any:
    own = DomainDraft.objects.filter(domain=domain, author=signed_in(request))
    return own.select_related("base", "domain__host", "domain__team", "operation")


def _is_uuid(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True
