"""New virtual machine: one page, whose choices and summary follow what is typed."""

from __future__ import annotations

import uuid
from typing import Any

from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_safe

from accounts.models import User
from accounts.permissions import Verb
from accounts.scoping import require
from core.errors import Conflict
from core.http import idempotency_key, signed_in
from domains.actions import create as action
from domains.actions.place import ranking
from domains.forms import SOURCES, NewDomainForm, usable_hosts
from domains.images import free_disks
from domains.models import Domain
from domains.placement import Ranking
from domains.wishes import Anywhere
from hosts.models import Host
from operations import actions as operations
from operations.models import Operation
from storage.models import Volume

MOST_OTHERS = 8
# What a file that a disk came in may say of its machine (`Volume.hints`), by the names of the form's fields.
HINTS = ("vcpus", "memory_mib")
# What a machine can be placed by.
DECISIVE = ("vcpus", "memory_mib", "disk_gib", "disk_format", "iso", "network", "firmware", "labels")


@require_http_methods(["GET", "HEAD", "POST"])
def new(request: HttpRequest) -> HttpResponse:
    """GET shows the form, with what the address already says; POST creates, once for each form shown."""
    user = signed_in(request)
    require(user, Verb.DOMAIN_CREATE)
    if request.method != "POST":
        return _page(request, _blank(request))
    before = operations.earlier(user, idempotency_key(request), "domain.create")
    if before is not None:
        return _go_to(request, before)
    form = _form(request, request.POST, data=request.POST)
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
    template = "domains/_new_no_disks.html" if shown.no_disks else "domains/_new_form.html"
    return render(request, template, {"form": shown, "summary": _summary(shown)})


@require_safe
def templates(request: HttpRequest) -> HttpResponse:
    """The templates that a new machine can be made from."""
    user = signed_in(request)
    require(user, Verb.DOMAIN_CREATE)
    rows = Domain.objects.permitted(user, Verb.DOMAIN_VIEW).present().filter(template=True)
    context = {"templates": rows.select_related("host").order_by("name"), "sources": SOURCES}
    return render(request, "domains/templates.html", context)


def _page(request: HttpRequest, form: NewDomainForm, *, status: int = 200) -> HttpResponse:
    context = {"form": form, "summary": _summary(form), "sources": SOURCES}
    template = "domains/_new_form.html" if request.headers.get("HX-Request") else "domains/new.html"
    return render(request, template, context, status=status)


def _blank(request: HttpRequest) -> NewDomainForm:
    """Unbound, so that nothing is called wrong while people still type; filled with what they typed."""
    typed: dict[str, Any] = {
        name: value for name, value in request.GET.items() if name in NewDomainForm.base_fields
    }
    if "key" not in typed:
        typed["key"] = str(uuid.uuid4())
    if request.headers.get("HX-Trigger-Name") == "image":
        typed |= _hints(request)
    if "name" in request.GET:
        typed["start"] = request.GET.get("start", "")
        typed["labels"] = request.GET.getlist("labels")
    return _form(request, request.GET, initial=typed)


def _hints(request: HttpRequest) -> dict[str, Any]:
    """How large the machine was that the image was made with, where its file said so."""
    image = Volume.objects.permitted(signed_in(request), Verb.STORAGE_VIEW).present()
    try:
        found = image.filter(uuid=uuid.UUID(request.GET.get("image", ""))).first()
    except ValueError:
        return {}
    return {} if found is None else {key: found.hints[key] for key in HINTS if key in found.hints}


def _form(request: HttpRequest, typed: QueryDict, **options: Any) -> NewDomainForm:
    user = signed_in(request)
    hosts = usable_hosts(user)
    source = typed.get("source", "")
    source = source if source in SOURCES else "iso"
    image = None if source == "iso" else _image(user, hosts, typed, as_it_is=source == "disk")
    host = _chosen(hosts, typed.get("host", ""))
    return NewDomainForm(**options, user=user, hosts=hosts, host=host, source=source, image=image)


def _image(user: User, hosts: list[Host], typed: QueryDict, *, as_it_is: bool) -> Volume | None:
    """The disk that was chosen; without a choice the first there is."""
    disks = free_disks(user, hosts, as_it_is=as_it_is)
    first = disks[0] if disks else None
    return next((disk for disk in disks if str(disk.uuid) == typed.get("image")), first)


def _chosen(hosts: list[Host], uuid: str) -> Host | None:
    """The one that was chosen; without a choice the only one there is, or None: any."""
    if len(hosts) == 1:
        return hosts[0]
    return next((host for host in hosts if str(host.uuid) == uuid), None)


def _summary(form: NewDomainForm) -> dict[str, Any]:
    """What will happen, for people to read before they press the button."""

    def value(name: str) -> Any:
        return form[name].value() if name in form.fields else None

    def label(name: str) -> str:
        chosen = str(value(name) or "")
        return next((str(text) for key, text in form.fields[name].choices if str(key) == chosen), "")  # type: ignore[attr-defined]

    return {
        "name": value("name") or "",
        "host": form.chosen_host,
        **_places(form),
        "iso": label("iso") if value("iso") else "",
        "image": form.chosen_image,
        "as_it_is": form.as_it_is,
        "vcpus": value("vcpus"),
        "memory_mib": value("memory_mib"),
        "disk_gib": value("disk_gib"),
        "disk_format": value("disk_format"),
        "pool": label("pool") if "pool" in form.fields else "",
        "network": label("network") if value("network") else "",
        "firmware": label("firmware"),
        "start": bool(value("start")),
    }


def _places(form: NewDomainForm) -> dict[str, Any]:
    """Where it would run and why, and the other hosts: the first few of them."""
    found = None if form.chosen_host else _ranking(form)
    if found is None:
        return {}
    places, refusals = found.places[1:], found.refusals
    shown = {"places": places[:MOST_OTHERS], "refusals": refusals[:MOST_OTHERS]}
    more = len(places) + len(refusals) - sum(map(len, shown.values()))
    return {"ranking": found, "others": shown | {"more": more} if places or refusals else None}


def _ranking(form: NewDomainForm) -> Ranking | None:
    """Where it would run by what is typed so far; None while that is not sound."""
    try:
        typed = {name: form.fields[name].clean(form[name].value()) for name in DECISIVE}
    except ValidationError:
        return None
    network, labels = typed.pop("network"), frozenset(typed.pop("labels") or ())
    name = str(form["name"].value() or "")
    return ranking(Anywhere(**typed, name=name, network=network.name if network else "", labels=labels))
