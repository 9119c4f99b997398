"""Clone a machine, call it otherwise, make it a template and back: a page with what that means, and the deed."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST

from accounts.permissions import Verb
from accounts.scoping import require
from core.errors import Conflict, InvalidInput
from core.http import idempotency_key, signed_in
from domains import templates
from domains.actions import clone as cloning
from domains.actions import rename as renaming
from domains.actions import template as templating
from domains.clone_form import CloneForm
from domains.lifecycle import refusal
from domains.models import Domain
from operations import actions as operations


@require_http_methods(["GET", "HEAD", "POST"])
def clone(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """GET shows the form; POST makes the copy, once for each form shown."""
    user = signed_in(request)
    source = _machine(request, uuid, Verb.DOMAIN_VIEW)
    require(user, Verb.DOMAIN_CREATE)
    if request.method != "POST":
        form = CloneForm(initial={"key": str(uuid4())}, user=user, source=source)
        return render(request, "domains/clone.html", _copying(form))
    before = operations.earlier(user, idempotency_key(request), "domain.clone")
    if before is not None:
        return redirect("domains:detail", before.target_id)
    form = CloneForm(request.POST, user=user, source=source)
    if not form.is_valid():
        return render(request, "domains/clone.html", _copying(form), status=422)
    try:
        operation = cloning.clone(
            new=form.to_clone(), actor=user, idempotency_key=str(form.cleaned_data["key"])
        )
    except Conflict as problem:
        form.add_error(None, f"{problem.message} {problem.fix}".strip())
        return render(request, "domains/clone.html", _copying(form), status=409)
    return redirect("domains:detail", operation.target_id)


@require_http_methods(["GET", "HEAD", "POST"])
def rename(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """GET asks for the name; POST gives it."""
    domain = _machine(request, uuid, Verb.DOMAIN_EDIT)
    typed = request.POST.get("name", domain.name)
    context = {"domain": domain, "typed": typed, "refusal": refusal("domain.rename", domain)}
    if request.method != "POST":
        return render(request, "domains/rename.html", context)
    try:
        operation = renaming.rename(
            domain=domain, name=typed, actor=signed_in(request), idempotency_key=idempotency_key(request)
        )
    except InvalidInput as problem:
        context["error"] = f"{problem.message} {problem.fix}".strip()
        return render(request, "domains/rename.html", context, status=422)
    return redirect("operations:detail", operation.pk)


@require_http_methods(["GET", "HEAD", "POST"])
def template(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """GET shows what to clear in the guest before; POST makes it a template."""
    domain = _machine(request, uuid, Verb.DOMAIN_CREATE)
    if request.method != "POST":
        context = {
            "domain": domain,
            "traces": templates.TRACES,
            "refusal": refusal("domain.template", domain),
        }
        return render(request, "domains/template.html", context)
    operation = templating.make_template(
        domain=domain,
        cleared=request.POST.getlist("cleared"),
        actor=signed_in(request),
        idempotency_key=idempotency_key(request),
    )
    return redirect("operations:detail", operation.pk)


@require_POST
def untemplate(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Make the template a machine again."""
    operation = templating.make_machine(
        domain=_machine(request, uuid, Verb.DOMAIN_CREATE),
        actor=signed_in(request),
        idempotency_key=idempotency_key(request),
    )
    if request.headers.get("HX-Request"):
        return render(request, "operations/_started.html", {"operation": operation})
    return redirect(reverse("domains:detail", args=[uuid]))


def _machine(request: HttpRequest, uuid: UUID, verb: Verb) -> Domain:
    domains = Domain.objects.permitted(signed_in(request), verb).present().select_related("host", "team")
    found: Domain = get_object_or_404(domains.prefetch_related("disks", "nics"), uuid=uuid)
    return found


def _copying(form: CloneForm) -> dict[str, Any]:
    source = form.source
    disks = cloning.originals(source)
    trouble = refusal("domain.clone", source) or next((disk.trouble for disk in disks if disk.trouble), "")
    return {
        "form": form,
        "domain": source,
        "disks": disks,
        "refusal": trouble,
        "left": templates.left_in(source) if source.template else templates.TRACES,
    }
