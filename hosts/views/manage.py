"""Adding, changing and removing hosts."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods

from accounts.permissions import Verb
from accounts.scoping import require
from core.errors import InvalidInput
from core.http import posted, signed_in
from hosts.actions import manage
from hosts.forms import EditHostForm, HostForm, initial_of
from hosts.models import Host


@require_http_methods(["GET", "HEAD", "POST"])
def new(request: HttpRequest) -> HttpResponse:
    """Address and transport; the new host's checks are shown at once."""
    user = signed_in(request)
    require(user, Verb.HOST_MANAGE)
    form = HostForm(posted(request), user=user)
    if form.is_valid():
        try:
            host = manage.add(actor=user, details=form.details())
        except InvalidInput as problem:
            _beside(form, problem)
        else:
            return redirect("hosts:checks", uuid=host.uuid)
    return render(request, "hosts/new.html", {"form": form}, status=422 if form.errors else 200)


@require_http_methods(["GET", "HEAD", "POST"])
def edit(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Everything that people say of a host."""
    user = signed_in(request)
    host = managed(request, uuid)
    form = EditHostForm(posted(request), user=user, host=host, initial=initial_of(host))
    if form.is_valid():
        try:
            manage.change(host=host, actor=user, details=form.details())
        except InvalidInput as problem:
            _beside(form, problem)
        else:
            messages.success(request, f"{form.cleaned_data['name'] or host.name} was changed.")
            return redirect("hosts:detail", uuid=host.uuid)
    context = {"host": host, "form": form}
    return render(request, "hosts/edit.html", context, status=422 if form.errors else 200)


@require_http_methods(["GET", "HEAD", "POST"])
def remove(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """GET asks once more; POST, with the host's name typed, removes."""
    user = signed_in(request)
    host = managed(request, uuid)
    context = {"host": host, "typed": request.POST.get("name", "")}
    if request.method != "POST":
        return render(request, "hosts/remove.html", context)
    if context["typed"] != host.name:
        context["error"] = "This is not its name."
        return render(request, "hosts/remove.html", context, status=422)
    manage.remove(host=host, actor=user)
    messages.success(request, f"{host.name} was removed. Its virtual machines go on as they were.")
    return redirect("hosts:list")


def managed(request: HttpRequest, uuid: UUID) -> Host:
    """The host, for people who may manage it; for others it is not there."""
    hosts = Host.objects.permitted(signed_in(request), Verb.HOST_MANAGE).present()
    host: Host = get_object_or_404(hosts, uuid=uuid)
    return host


def _beside(form: HostForm, problem: InvalidInput) -> None:
    words = " ".join(filter(None, (problem.message, problem.fix)))
    form.add_error(problem.field if problem.field in form.fields else None, words)
