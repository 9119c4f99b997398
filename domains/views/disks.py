"""Disks and drives of a machine: a page with a form for each thing that can be done to them."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from accounts.permissions import Verb
from core.errors import Conflict, InvalidInput
from core.http import idempotency_key, posted, signed_in
from domains import lifecycle
from domains.actions import delete as deleting
from domains.actions import disks as actions
from domains.actions import media
from domains.disk_choices import DRIVES
from domains.disk_forms import (
    ChangeDiskForm,
    DetachDiskForm,
    DiskForm,
    ExistingDiskForm,
    MediumForm,
    NewDiskForm,
    ResizeDiskForm,
)
from domains.models import Domain, DomainDisk
from operations.models import Operation

_page = require_http_methods(["GET", "HEAD", "POST"])


@_page
def add_disk(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """A new, empty one."""
    user, domain = signed_in(request), _editable(request, uuid)
    form = NewDiskForm(posted(request), user=user, domain=domain)

    def ask() -> Operation:
        return actions.add(
            domain=domain, new=form.wanted(), actor=user, idempotency_key=idempotency_key(request)
        )

    return _answer(request, "domain.disk.add", form, ask)


@_page
def attach_disk(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """One that is there."""
    user, domain = signed_in(request), _editable(request, uuid)
    form = ExistingDiskForm(posted(request), user=user, domain=domain)

    def ask() -> Operation:
        return actions.attach(
            domain=domain, wanted=form.wanted(), actor=user, idempotency_key=idempotency_key(request)
        )

    return _answer(request, "domain.disk.attach", form, ask)


@_page
def change_disk(request: HttpRequest, uuid: UUID, target: str) -> HttpResponse:
    """How it is plugged in."""
    user, domain = signed_in(request), _editable(request, uuid)
    form = ChangeDiskForm(posted(request), user=user, domain=domain, disk=_disk(domain, target))

    def ask() -> Operation:
        return actions.change(
            domain=domain,
            target=target,
            settings=form.settings(),
            actor=user,
            idempotency_key=idempotency_key(request),
        )

    return _answer(request, "domain.disk.change", form, ask)


@_page
def resize_disk(request: HttpRequest, uuid: UUID, target: str) -> HttpResponse:
    """Make it larger."""
    user, domain = signed_in(request), _editable(request, uuid)
    disk = _disk(domain, target)
    volume = actions.volume_of(domain, disk)
    form = ResizeDiskForm(posted(request), user=user, domain=domain, disk=disk)
    form.has(volume.capacity_bytes if volume else 0)

    def ask() -> Operation:
        return actions.resize(
            domain=domain,
            target=target,
            size_gib=form.cleaned_data["size_gib"],
            actor=user,
            idempotency_key=idempotency_key(request),
        )

    return _answer(request, "domain.disk.resize", form, ask)


@_page
def detach_disk(request: HttpRequest, uuid: UUID, target: str) -> HttpResponse:
    """Take it out; its volume stays, or goes."""
    user, domain = signed_in(request), _editable(request, uuid)
    form = DetachDiskForm(posted(request), user=user, domain=domain, disk=_disk(domain, target))
    possible = next((one for one in deleting.disks_of(domain) if one.target == target), None)
    why = "It lies in no pool that the panel knows." if possible is None else possible.kept_because
    if why:
        form.fields["delete_volume"].disabled = True
        form.fields["delete_volume"].help_text = f"It stays: {why}"

    def ask() -> Operation:
        return actions.detach(
            domain=domain,
            target=target,
            actor=user,
            delete_volume=form.cleaned_data["delete_volume"],
            patience_s=form.cleaned_data["patience_s"],
            idempotency_key=idempotency_key(request),
        )

    return _answer(request, "domain.disk.detach", form, ask)


@_page
def change_medium(request: HttpRequest, uuid: UUID, target: str) -> HttpResponse:
    """What is in a drive."""
    user, domain = signed_in(request), _editable(request, uuid)
    drive = _disk(domain, target, drive=True)
    form = MediumForm(posted(request), user=user, domain=domain, disk=drive)

    def ask() -> Operation:
        return media.change(
            domain=domain,
            target=target,
            image=form.cleaned_data["image"],
            actor=user,
            force=form.cleaned_data.get("force", False),
            idempotency_key=idempotency_key(request),
        )

    return _answer(request, "domain.media.change", form, ask)


@require_POST
def eject_medium(request: HttpRequest, uuid: UUID, target: str) -> HttpResponse:
    """Empty a drive."""
    domain = _editable(request, uuid)
    operation = media.change(
        domain=domain,
        target=target,
        image=None,
        actor=signed_in(request),
        idempotency_key=idempotency_key(request),
    )
    return render(request, "operations/_started.html", {"operation": operation})


@require_POST
def add_drive(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """An empty CD drive."""
    domain, user = _editable(request, uuid), signed_in(request)
    operation = media.add_drive(domain=domain, actor=user, idempotency_key=idempotency_key(request))
    return render(request, "operations/_started.html", {"operation": operation})


@require_POST
def detach_drive(request: HttpRequest, uuid: UUID, target: str) -> HttpResponse:
    """Without the drive; the image in it stays where it lies."""
    operation = media.detach_drive(
        domain=_editable(request, uuid),
        target=target,
        actor=signed_in(request),
        idempotency_key=idempotency_key(request),
    )
    return render(request, "operations/_started.html", {"operation": operation})


def _answer(request: HttpRequest, kind: str, form: DiskForm, ask: Callable[[], Operation]) -> HttpResponse:
    """Ask where the form is sound, and go back to the tab; else the page with what is wrong beside each field."""
    status = 200
    if form.is_bound:
        status = 422
        if form.is_valid():
            try:
                ask()
            except InvalidInput as problem:
                form.refuse(problem.field, f"{problem.message} {problem.fix}".strip())
            except Conflict as problem:
                form.add_error(None, f"{problem.message} {problem.fix}".strip())
                status = 409
            else:
                return redirect("domains:hardware", form.domain.uuid)
    context = {
        "domain": form.domain,
        "form": form,
        "disk": form.disk,
        "rule": lifecycle.RULES[kind],
        "refusal": lifecycle.refusal(kind, form.domain),
    }
    return render(request, "domains/disk.html", context, status=status)


def _editable(request: HttpRequest, uuid: UUID) -> Domain:
    domains = Domain.objects.permitted(signed_in(request), Verb.DOMAIN_EDIT).present()
    found: Domain = get_object_or_404(domains.select_related("host", "team"), uuid=uuid)
    return found


def _disk(domain: Domain, target: str, *, drive: bool = False) -> DomainDisk:
    found: DomainDisk | None = domain.disks.filter(target=target).first()
    if found is None or (found.device in DRIVES) != drive:
        raise Http404
    return found
