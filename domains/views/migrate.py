"""Move a machine to another host: the form, what is found before, and the deed."""

from __future__ import annotations

import uuid
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from accounts.models import User
from accounts.permissions import Verb
from core.errors import Conflict
from core.http import idempotency_key, signed_in
from domains import asked, destinations
from domains.actions import migrate as action
from domains.models import Domain
from domains.moving import MoveOptions
from domains.moving_form import MoveForm
from domains.preflight import look
from hosts.models import Host
from operations import actions as operations


@require_http_methods(["GET", "HEAD", "POST"])
def migrate(request: HttpRequest, uuid: uuid.UUID) -> HttpResponse:
    """GET shows the form; POST moves, once for each form shown."""
    user = signed_in(request)
    domain = _movable(user, uuid)
    if request.method != "POST":
        return render(request, "domains/migrate.html", _context(user, domain, _blank(request, user, domain)))
    before = operations.earlier(user, idempotency_key(request), "domain.migrate", domain)
    if before is not None:
        return redirect("operations:detail", before.pk)
    form = MoveForm(request.POST, user=user, domain=domain, target=_target(user, request.POST))
    if not form.is_valid():
        return render(request, "domains/migrate.html", _context(user, domain, form), status=422)
    try:
        operation = action.migrate(
            domain=domain,
            target=form.cleaned_data["target"],
            options=form.options(),
            actor=user,
            idempotency_key=str(form.cleaned_data["key"]),
        )
    except Conflict as problem:
        form.add_error("target", f"{problem.message} {problem.fix}".strip())
        return render(request, "domains/migrate.html", _context(user, domain, form), status=409)
    return redirect("operations:detail", operation.pk)


@require_safe
def move_form(request: HttpRequest, uuid: uuid.UUID) -> HttpResponse:
    """The form again after a choice changed, with what is found for it; both hosts are asked meanwhile."""
    user = signed_in(request)
    domain = _movable(user, uuid)
    return render(
        request, "domains/_migrate_form.html", _context(user, domain, _blank(request, user, domain))
    )


def _movable(user: User, key: uuid.UUID) -> Domain:
    domains = Domain.objects.permitted(user, Verb.DOMAIN_MIGRATE).present().select_related("host", "team")
    found: Domain = get_object_or_404(domains.prefetch_related("disks", "nics"), uuid=key)
    return found


def _blank(request: HttpRequest, user: User, domain: Domain) -> MoveForm:
    """Unbound, filled with what was chosen so far."""
    chosen = {name: value for name, value in request.GET.items() if name in MoveForm.base_fields}
    if "key" in chosen:  # a box that is not ticked is not sent
        boxes = ("copy", "delete_source", "eject", "auto_converge")
        chosen |= {name: request.GET.get(name, "") for name in boxes}
    else:
        chosen["key"] = str(uuid.uuid4())
    return MoveForm(initial=chosen, user=user, domain=domain, target=_target(user, request.GET))


def _target(user: User, data: Any) -> Host | None:
    try:
        chosen = uuid.UUID(data.get("target", ""))
    except ValueError:
        return None
    hosts = Host.objects.permitted(user, Verb.HOST_VIEW).present()
    found: Host | None = hosts.filter(uuid=chosen).first()
    return found


def _context(user: User, domain: Domain, form: MoveForm) -> dict[str, Any]:
    options = MoveOptions(
        copy=_ticked(form, "copy"), eject=_ticked(form, "eject"), pool=str(form["pool"].value() or "")
    )
    target, why = form.chosen, ""
    if target is None:
        best = destinations.best(domain, options)
        target, why = (best.host, best.why) if best else (None, "")
    found = look(domain, target, options) if target is not None else None
    question = None
    if found is not None and target is not None and found.possible:
        question = asked.ask(user, domain, target)
    return {
        "domain": domain,
        "form": form,
        "target": target,
        "why": why,
        "preflight": found,
        "question": question,
        "told": None,
    }


def _ticked(form: MoveForm, name: str) -> bool:
    return form[name].value() not in (None, "", False, "false")
