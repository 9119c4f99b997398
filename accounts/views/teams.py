"""Teams: people who own machines together."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from accounts import actions
from accounts.forms import MemberForm, TeamForm
from accounts.models import Membership, Team
from accounts.permissions import Role, Verb
from accounts.scoping import require
from core.errors import InvalidInput
from core.http import posted, signed_in

ROOM = {"nav_room": "people"}


@require_http_methods(["GET", "HEAD", "POST"])
def new(request: HttpRequest) -> HttpResponse:
    """A name is all it takes; members come next."""
    user = signed_in(request)
    require(user, Verb.ACCOUNT_MANAGE)
    form = TeamForm(posted(request))
    if form.is_valid():
        try:
            made = actions.create_team(actor=user, name=form.cleaned_data["name"])
        except InvalidInput as problem:
            form.add_error(problem.field, problem.message)
        else:
            return redirect("accounts:team", pk=made.pk)
    status = 422 if form.errors else 200
    return render(request, "accounts/new_team.html", {"form": form, **ROOM}, status=status)


@require_http_methods(["GET", "HEAD", "POST"])
def team(request: HttpRequest, pk: int) -> HttpResponse:
    """Its members; POST adds one, or gives one another role."""
    user = signed_in(request)
    require(user, Verb.ACCOUNT_MANAGE)
    found = get_object_or_404(Team, pk=pk)
    form = MemberForm(posted(request))
    if form.is_valid():
        actions.set_member(
            actor=user,
            team=found,
            person=form.cleaned_data["person"],
            role=Role(form.cleaned_data["role"]),
        )
        return redirect("accounts:team", pk=found.pk)
    members = found.memberships.select_related("user").order_by("user__username")
    context = {"team": found, "members": members, "form": form, **ROOM}
    return render(request, "accounts/team.html", context, status=422 if form.errors else 200)


@require_POST
def delete(request: HttpRequest, pk: int) -> HttpResponse:
    """The team goes; people and machines stay."""
    user = signed_in(request)
    require(user, Verb.ACCOUNT_MANAGE)
    found = get_object_or_404(Team, pk=pk)
    actions.delete_team(actor=user, team=found)
    messages.success(request, f"The team {found.name} was deleted.")
    return redirect("accounts:people")


@require_POST
def remove_member(request: HttpRequest, pk: int, member: int) -> HttpResponse:
    """Takes somebody out of the team."""
    user = signed_in(request)
    require(user, Verb.ACCOUNT_MANAGE)
    membership = get_object_or_404(Membership.objects.select_related("team", "user"), team_id=pk, pk=member)
    actions.remove_member(actor=user, membership=membership)
    return redirect("accounts:team", pk=pk)
