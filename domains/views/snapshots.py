"""The tab "Snapshots" of a machine's page, and what is done there."""

from __future__ import annotations

from uuid import UUID

from django.db.models import QuerySet
from django.forms import Form
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.permissions import Verb
from core.errors import InvalidInput
from core.http import idempotency_key, posted, signed_in
from domains import machine
from domains.actions import snapshot_schedule as rules
from domains.actions import snapshots as action
from domains.models import Domain, Snapshot, SnapshotSchedule
from domains.snapshot_forms import ScheduleForm, SnapshotForm, TakeForm, typed_schedule
from domains.snapshots import showing
from domains.views import tab


@require_safe
def snapshots(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """The tree, what it takes to take another, and the rule."""
    return _page(request, tab.found(request, uuid))


@require_POST
def take_snapshot(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Ask for one; the page shows it when it is there."""
    domain = _editable(request, uuid)
    form = TakeForm(request.POST, on=domain.on)
    if form.is_valid():
        given = form.cleaned_data
        try:
            action.take(
                domain=domain,
                label=given["label"],
                description=given["description"],
                memory=given.get("memory", False),
                quiesce=given.get("quiesce", False),
                actor=signed_in(request),
                idempotency_key=idempotency_key(request),
            )
        except InvalidInput as error:
            form.add_error(error.field, f"{error.message} {error.fix}".strip())
        else:
            return redirect("domains:snapshots", domain.uuid)
    return _page(request, tab.found(request, uuid), take_form=form, status=422)


@require_http_methods(["GET", "HEAD", "POST"])
def snapshot(request: HttpRequest, uuid: UUID, snapshot_uuid: UUID) -> HttpResponse:
    """GET shows one, with the files it needs; POST calls it something else."""
    seen = tab.found(request, uuid)
    row = get_object_or_404(_rows(request, uuid, Verb.DOMAIN_VIEW), uuid=snapshot_uuid)
    told = {"label": str(row), "description": row.description}
    form = SnapshotForm(posted(request), initial=told)
    if request.method == "POST":
        row = get_object_or_404(_rows(request, uuid, Verb.DOMAIN_EDIT), uuid=snapshot_uuid)
        if form.is_valid():
            try:
                action.rename(snapshot=row, actor=signed_in(request), **form.cleaned_data)
            except InvalidInput as error:
                form.add_error(error.field, f"{error.message} {error.fix}".strip())
            else:
                return redirect("domains:snapshots", uuid)
    context = {"domain": seen, "snapshot": row, "form": form, "followed": action.descendants(row)}
    return render(request, "domains/snapshot.html", context, status=422 if form.errors else 200)


@require_POST
def revert_snapshot(request: HttpRequest, uuid: UUID, snapshot_uuid: UUID) -> HttpResponse:
    """Ask for the machine to go back; the answer is the operation."""
    row = get_object_or_404(_rows(request, uuid, Verb.DOMAIN_EDIT), uuid=snapshot_uuid)
    operation = action.revert(
        snapshot=row, actor=signed_in(request), idempotency_key=idempotency_key(request)
    )
    return render(request, "operations/_started.html", {"operation": operation})


@require_POST
def delete_snapshot(
    request: HttpRequest, uuid: UUID, snapshot_uuid: UUID, *, children: bool = False
) -> HttpResponse:
    """Ask for one to go, alone or with all that came after it; the answer is the operation."""
    row = get_object_or_404(_rows(request, uuid, Verb.DOMAIN_EDIT), uuid=snapshot_uuid)
    operation = action.delete(
        snapshot=row, children=children, actor=signed_in(request), idempotency_key=idempotency_key(request)
    )
    return render(request, "operations/_started.html", {"operation": operation})


@require_POST
def schedule_snapshots(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Set the machine's rule, in the name of the person."""
    domain = _editable(request, uuid)
    form = ScheduleForm(request.POST, prefix="rule")
    if not form.is_valid():
        return _page(request, tab.found(request, uuid), rule_form=form, status=422)
    given = form.cleaned_data
    rules.set_schedule(
        domain=domain,
        every_hours=given["every_hours"],
        minute=given["at"].hour * 60 + given["at"].minute,
        keep=given["keep"],
        memory=given["with_memory"],
        actor=signed_in(request),
    )
    return redirect("domains:snapshots", domain.uuid)


@require_POST
def unschedule_snapshots(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Let the machine have no rule."""
    domain = _editable(request, uuid)
    rules.clear_schedule(domain=domain, actor=signed_in(request))
    return redirect("domains:snapshots", domain.uuid)


def _page(
    request: HttpRequest,
    domain: Domain,
    *,
    take_form: Form | None = None,
    rule_form: Form | None = None,
    status: int = 200,
) -> HttpResponse:
    if machine.is_gone(domain):
        return tab.show(request, domain, "snapshots", "domains/snapshots.html")
    typed = typed_schedule(SnapshotSchedule.objects.filter(domain=domain).first())
    return tab.show(
        request,
        domain,
        "snapshots",
        "domains/snapshots.html",
        showing.tree,
        showing.taking,
        showing.rule,
        status=status,
        take_form=take_form or TakeForm(on=domain.on),
        rule_form=rule_form or ScheduleForm(prefix="rule", initial=typed),
    )


def _editable(request: HttpRequest, uuid: UUID) -> Domain:
    domains = Domain.objects.permitted(signed_in(request), Verb.DOMAIN_EDIT).present()
    found: Domain = get_object_or_404(domains.select_related("host", "team"), uuid=uuid)
    return found


def _rows(request: HttpRequest, uuid: UUID, verb: Verb) -> QuerySet[Snapshot]:
    rows = Snapshot.objects.permitted(signed_in(request), verb).present()
    found: QuerySet[Snapshot] = rows.filter(
        domain__uuid=uuid, domain__gone_at=None, domain__host__gone_at=None
    ).select_related("domain__host", "domain__team", "author")
    return found
