"""The tab on which a machine's options are seen and changed: a form for each group."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST, require_safe

from accounts.permissions import Verb
from core.errors import Conflict
from core.http import idempotency_key, signed_in
from domains import option_pages as pages
from domains.actions import options as actions
from domains.models import Domain
from domains.option_forms import FORMS, OptionForm, OwnerForm
from domains.views import tab


@require_safe
def options(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """What it is by its definition, and what its next start changes."""
    return tab.show(
        request,
        tab.found(request, uuid),
        "options",
        "domains/options.html",
        pages.pending,
        pages.groups,
        pages.owner,
    )


@require_POST
def change(request: HttpRequest, uuid: UUID, group: str) -> HttpResponse:
    """Ask for what was typed; the answer is the group's form, with the operation or with what is wrong."""
    if group not in FORMS:
        raise Http404
    domain = _editable(request, uuid)
    form = FORMS[group](domain, request.POST)
    if not form.is_valid():
        return _answer(request, form, status=422)
    try:
        operation = actions.change(
            wish=form.wish(),
            domain=domain,
            actor=signed_in(request),
            sha=form.cleaned_data["sha"],
            idempotency_key=idempotency_key(request),
        )
    except Conflict as problem:
        form.add_error(None, f"{problem.message} {problem.fix}".strip())
        return _answer(request, form, status=409)
    if request.headers.get("HX-Request") != "true":
        return redirect("operations:detail", operation.pk)
    return _answer(request, pages.fresh(FORMS[group], domain), operation=operation)


@require_POST
def start_from(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """One start from another device; the answer is the operation."""
    domains = Domain.objects.permitted(signed_in(request), Verb.DOMAIN_POWER).present()
    operation = actions.start_from(
        device=request.POST.get("device", ""),
        domain=get_object_or_404(domains.select_related("host", "team"), uuid=uuid),
        actor=signed_in(request),
        idempotency_key=idempotency_key(request),
    )
    return render(request, "operations/_started.html", {"operation": operation})


@require_POST
def assign(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Say whose it is."""
    domains = Domain.objects.permitted(signed_in(request), Verb.DOMAIN_ASSIGN).present()
    domain = get_object_or_404(domains.select_related("host", "owner", "team"), uuid=uuid)
    form = OwnerForm(domain, request.POST)
    if form.is_valid():
        actions.assign(domain=domain, actor=signed_in(request), **form.cleaned_data)
    if request.headers.get("HX-Request") != "true" and form.is_valid():
        return redirect("domains:options", domain.uuid)
    domain.refresh_from_db()
    shown = {"domain": domain, "owner_form": form, "saved": form.is_valid()}
    return render(request, "domains/_option_owner.html", shown, status=200 if form.is_valid() else 422)


def _editable(request: HttpRequest, uuid: UUID) -> Domain:
    user = signed_in(request)
    domains = (
        Domain.objects.permitted(user, Verb.DOMAIN_EDIT).present().select_related("host", "team", "owner")
    )
    found: Domain = get_object_or_404(domains.with_rights(user, may_power=Verb.DOMAIN_POWER), uuid=uuid)
    return found


def _answer(request: HttpRequest, form: OptionForm, *, status: int = 200, **more: Any) -> HttpResponse:
    domain = form.domain
    context = {"domain": domain, "may": True, "template": pages.template(form.group), **pages.group(form)}
    return render(request, "domains/_option_answer.html", context | more, status=status)
