"""A host's checks: how they stand, how to prepare the host, and what is trusted."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST, require_safe

from accounts.permissions import Verb
from core.errors import InvalidInput
from core.http import signed_in
from hosts import live, preparing
from hosts.actions import check as action
from hosts.actions import trust
from hosts.checks.shown import fingerprint
from hosts.forms import CertificatesForm
from hosts.models import Credentials, Host, Transport
from hosts.views.manage import managed

_NEW_KEY: Final = (
    "The panel has a new key. Add it to the host as shown below, and remove the line with the old one from "
    "authorized_keys there."
)


@require_safe
def checks(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """What was found, and what to do about it."""
    hosts = Host.objects.permitted(signed_in(request), Verb.HOST_VIEW).present()
    return _page(request, get_object_or_404(hosts, uuid=uuid), CertificatesForm())


@require_POST
def check(request: HttpRequest, uuid: UUID, key: str = "") -> HttpResponse:
    """Check again, all or one."""
    host = managed(request, uuid)
    operation = action.again(host=host, actor=signed_in(request), key=key)
    return render(request, "operations/_started.html", {"operation": operation})


@require_POST
def confirm_key(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Trust the host's SSH key; the page shows by itself what comes of it."""
    host = managed(request, uuid)
    trust.confirm_host_key(
        host=host, actor=signed_in(request), fingerprint=request.POST.get("fingerprint", "")
    )
    return _done(request, host, "The host's key is confirmed.")


@require_POST
def replace_key(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """A new key pair for the panel."""
    host = managed(request, uuid)
    trust.replace_key_pair(host=host, actor=signed_in(request))
    return _done(request, host, _NEW_KEY)


@require_POST
def certificates(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """New certificates for TLS."""
    host = managed(request, uuid)
    form = CertificatesForm(request.POST)
    if form.is_valid():
        try:
            trust.set_certificates(host=host, actor=signed_in(request), **form.cleaned_data)
        except InvalidInput as problem:
            form.add_error(problem.field, problem.message)
        else:
            return _done(request, host, "The certificates are in use.")
    return _page(request, host, form, status=422)


def _page(request: HttpRequest, host: Host, form: CertificatesForm, *, status: int = 200) -> HttpResponse:
    known = Credentials.objects.unopened().filter(host=host).first() or Credentials(host=host)
    context = {
        **live.checks_of(signed_in(request), host),
        "public_key": known.ssh_public_key,
        "host_key": fingerprint(known.host_key),
        "families": preparing.families(host, known.ssh_public_key),
        "tls": host.transport == Transport.TLS,
        "has_certificates": bool(known.client_certificate),
        "form": form,
    }
    return render(request, "hosts/checks.html", context, status=status)


def _done(request: HttpRequest, host: Host, words: str) -> HttpResponse:
    if request.headers.get("HX-Request") == "true":
        return HttpResponse(status=204)
    messages.success(request, words)
    return redirect("hosts:checks", uuid=host.uuid)
