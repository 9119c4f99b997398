"""New virtual machine: one page, whose choices and summary follow what is typed."""

from __future__ import annotations

import uuid
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_safe

from accounts.permissions import Verb
from accounts.scoping import require
from core.errors import Conflict
from core.http import idempotency_key, signed_in
from domains.actions import create as action
from domains.forms import NewDomainForm
from hosts.models import Host, HostState
from operations import actions as operations
from operations.models import Operation


@require_http_methods(["GET", "HEAD", "POST"])
def new(request: HttpRequest) -> HttpResponse:
    """GET shows the form, with what the address already says; POST creates, once for each form shown."""
    user = signed_in(request)
    require(user, Verb.DOMAIN_CREATE)
    if request.method != "POST":
        return _page(request, _blank(request))
    before = operations.earlier(user, idempotency_key(request))
    if before is not None:
        return _go_to(request, before)
    form = NewDomainForm(request.POST, user=user, host=_host(request, request.POST))
    if not form.is_valid():
        return _page(request, form, status=422)
    try:
        operation = action.create(
            new=form.to_new(), actor=user, idempotency_key=str(form.cleaned_data["key"])
        )
    except Conflict as problem:
        form.add_error("name", f"{problem.message} {problem.fix}".strip())
        return _page(request, form, status=409)
    return _go_to(request, operation)


def _go_to(request: HttpRequest, operation: Operation) -> HttpResponse:
    where = reverse("domains:detail", args=[operation.target_id])
    if request.headers.get("HX-Request"):
        response = HttpResponse(status=204)
        response["HX-Redirect"] = where
        return response
    return redirect(where)


@require_safe
def form(request: HttpRequest) -> HttpResponse:
    """The form again after a choice changed: other host, other pools; and the summary of what will happen."""
    user = signed_in(request)
    require(user, Verb.DOMAIN_CREATE)
    shown = _blank(request)
    return render(request, "domains/_new_form.html", {"form": shown, "summary": _summary(shown)})


def _page(request: HttpRequest, form: NewDomainForm, *, status: int = 200) -> HttpResponse:
    context = {"form": form, "summary": _summary(form)}
    template = "domains/_new_form.html" if request.headers.get("HX-Request") else "domains/new.html"
    return render(request, template, context, status=status)


def _blank(request: HttpRequest) -> NewDomainForm:
    """Unbound, so that nothing is called wrong while people still type; filled with what they typed."""
    typed = {name: value for name, value in request.GET.items() if name in NewDomainForm.base_fields}
    if "key" not in typed:
        typed["key"] = str(uuid.uuid4())
    if request.GET and "name" in request.GET:
        typed["start"] = request.GET.get("start", "")
    return NewDomainForm(initial=typed, user=signed_in(request), host=_host(request, request.GET))


def _host(request: HttpRequest, data: Any) -> Host | None:
    hosts = Host.objects.permitted(signed_in(request), Verb.HOST_VIEW).present()
    hosts = hosts.filter(state=HostState.UP, maintenance=False)
    try:
        chosen = uuid.UUID(data.get("host", ""))
    except ValueError:
        return hosts.first()
    return hosts.filter(uuid=chosen).first() or hosts.first()


def _summary(form: NewDomainForm) -> dict[str, Any]:
    """What will happen, for people to read before they press the button."""

    def value(name: str) -> Any:
        return form[name].value()

    def label(name: str) -> str:
        chosen = str(value(name) or "")
        return next((str(text) for key, text in form.fields[name].choices if str(key) == chosen), "")  # type: ignore[attr-defined]

    return {
        "name": value("name") or "",
        "host": form.chosen_host,
        "iso": label("iso") if value("iso") else "",
        "vcpus": value("vcpus"),
        "memory_mib": value("memory_mib"),
        "disk_gib": value("disk_gib"),
        "disk_format": value("disk_format"),
        "pool": label("pool"),
        "network": label("network") if value("network") else "",
        "firmware": label("firmware"),
        "start": bool(value("start")),
    }
