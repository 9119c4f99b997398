"""The audit log's page."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from accounts.permissions import Verb
from accounts.scoping import require
from audit import search
from audit.models import Entry
from core.http import signed_in


@require_safe
def entries(request: HttpRequest) -> HttpResponse:
    """Who did what to what, newest first."""
    user = signed_in(request)
    require(user, Verb.AUDIT_VIEW)
    wanted = search.Wanted.read(request.GET)
    return render(request, "audit/list.html", {"page": search.find(user, wanted), "wanted": wanted})


@require_POST
def verify(request: HttpRequest) -> HttpResponse:
    """Recompute every hash; says whether the log is whole, or where it was changed."""
    require(signed_in(request), Verb.AUDIT_VIEW)
    broken = Entry.objects.first_broken()
    if broken is None:
        messages.success(request, "The log is whole: every row follows from the row before it.")
    else:
        messages.error(
            request, f"Row {broken.pk} does not follow from the row before it: the log was changed."
        )
    return redirect("audit:list")
