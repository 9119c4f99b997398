"""Network cards and other devices of a machine: a page for each thing that can be asked, and the deed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final
from uuid import UUID, uuid4

from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from accounts.permissions import Verb
from core.errors import Conflict, InvalidInput
from core.http import idempotency_key, posted, signed_in
from domains.actions import devices as actions
from domains.device_forms import ChangeNicForm, NewDeviceForm, NewNicForm, VideoForm
from domains.device_pages import later
from domains.lifecycle import RULES, refusal
from domains.models import Domain
from domains.passthrough import offers
from hypervisor.device_facts import DeviceKind
from hypervisor.xml.slots import NIC
from operations.models import Operation

Ask = Callable[..., Operation]

_UNITS: Final = {"inbound_kib_s": "KiB/s", "outbound_kib_s": "KiB/s", "rate_bytes_s": "bytes/s"}


@require_http_methods(["GET", "HEAD", "POST"])
def add_nic(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """A new network card."""
    domain = _domain(request, uuid)
    initial = {"link": "up", "key": uuid4()}
    form = NewNicForm(signed_in(request), domain, posted(request), initial=initial)
    return _form(
        request,
        domain,
        form,
        "domain.nic.add",
        lambda **click: actions.add_nic(domain=domain, nic=form.nic(), **click),
        hints=[later(domain, NIC)],
    )


@require_http_methods(["GET", "HEAD", "POST"])
def change_nic(request: HttpRequest, uuid: UUID, mac: str) -> HttpResponse:
    """The card of an address; what can change while the machine runs does so at once."""
    domain = _domain(request, uuid)
    nic = actions.nic_of(domain, mac)
    form = ChangeNicForm(signed_in(request), domain, nic, posted(request), initial={"key": uuid4()})
    hints = [
        "Network, link and limits change at once, the model with its next start.",
        "A card that is plugged in elsewhere loses its link for a second, so that the guest asks for a new address.",
    ]
    return _form(
        request,
        domain,
        form,
        "domain.nic.change",
        lambda **click: actions.change_nic(domain=domain, mac=mac, wish=form.wish(), **click),
        hints=hints if domain.held else [],
        heading=f"Network card {nic.mac}",
    )


@require_POST
def detach_nic(request: HttpRequest, uuid: UUID, mac: str) -> HttpResponse:
    """Take the card of an address out."""
    return _started(request, actions.detach_nic(domain=_domain(request, uuid), mac=mac, **_click(request)))


@require_http_methods(["GET", "HEAD", "POST"])
def add_device(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """A watchdog, a serial port, …"""
    domain = _domain(request, uuid)
    form = NewDeviceForm(domain, posted(request), initial={"key": uuid4()})
    return _form(
        request,
        domain,
        form,
        "domain.device.add",
        lambda **click: actions.add_device(domain=domain, device=form.new(), **click),
        hints=["What can't be plugged in while it runs is there from its next start on."]
        if domain.held
        else [],
    )


@require_http_methods(["GET", "HEAD", "POST"])
def change_video(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Another model of the video card."""
    domain = _domain(request, uuid)
    now = domain.devices.filter(kind=DeviceKind.VIDEO).order_by("-present").first()
    initial = {"key": uuid4(), "model": now.model if now else ""}
    form = VideoForm(posted(request), initial=initial)
    return _form(
        request,
        domain,
        form,
        "domain.device.change",
        lambda **click: actions.change_video(domain=domain, model=form.cleaned_data["model"], **click),
        hints=["It changes with its next start."] if domain.held else [],
        heading="Video card",
    )


@require_POST
def detach_device(request: HttpRequest, uuid: UUID, key: str) -> HttpResponse:
    """Take the device of a key out."""
    return _started(request, actions.detach_device(domain=_domain(request, uuid), key=key, **_click(request)))


@require_http_methods(["GET", "HEAD", "POST"])
def host_devices(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """GET lists what the host has, with the reason where it can't be given; POST gives one."""
    domain = _domain(request, uuid, Verb.DOMAIN_PASSTHROUGH)
    if request.method == "POST":
        device = request.POST.get("device", "")
        return _started(request, actions.attach_host_device(domain=domain, device=device, **_click(request)))
    found = sorted(offers(domain), key=lambda offer: (bool(offer.reason), offer.device.kind))
    kinds = (DeviceKind.PCI, DeviceKind.USB)
    hints = {why for kind in kinds if (why := later(domain, kind))}
    context = {
        "domain": domain,
        "offers": found,
        "hints": sorted(hints),
        "refusal": refusal("domain.hostdev.attach", domain),
    }
    return render(request, "domains/host_devices.html", context)


@require_POST
def detach_host_device(request: HttpRequest, uuid: UUID, key: str) -> HttpResponse:
    """Give the device of a key back to the host."""
    domain = _domain(request, uuid, Verb.DOMAIN_PASSTHROUGH)
    return _started(request, actions.detach_host_device(domain=domain, key=key, **_click(request)))


def _domain(request: HttpRequest, uuid: UUID, verb: Verb = Verb.DOMAIN_EDIT) -> Domain:
    domains = Domain.objects.permitted(signed_in(request), verb).present().select_related("host", "team")
    found: Domain = get_object_or_404(domains, uuid=uuid)
    return found


def _click(request: HttpRequest) -> dict[str, Any]:
    return {"actor": signed_in(request), "idempotency_key": idempotency_key(request)}


def _started(request: HttpRequest, operation: Operation) -> HttpResponse:
    if request.headers.get("HX-Request") != "true":
        return redirect("operations:detail", operation.pk)
    return render(request, "operations/_started.html", {"operation": operation})


def _form(
    request: HttpRequest,
    domain: Domain,
    form: forms.Form,
    kind: str,
    ask: Ask,
    *,
    hints: list[str],
    heading: str = "",
) -> HttpResponse:
    """The page; or what was typed with what is wrong beside it; or, where all is well, the operation."""
    status = 200
    if form.is_bound:
        status = 422
        if form.is_valid():
            try:
                return redirect("operations:detail", ask(**_click(request)).pk)
            except (InvalidInput, Conflict) as problem:
                field = problem.field if isinstance(problem, InvalidInput) else ""
                words = f"{problem.message} {problem.fix}".strip()
                form.add_error(field if field in form.fields else None, words)
                status = 422 if field else 409
    rule = RULES[kind]
    context = {
        "domain": domain,
        "form": form,
        "rule": rule,
        "heading": heading or rule.label,
        "hints": [hint for hint in hints if hint],
        "refusal": refusal(kind, domain),
        "fields": [(field, _UNITS.get(field.name, "")) for field in form.visible_fields()],
    }
    return render(request, "domains/device.html", context, status=status)
