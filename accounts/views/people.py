"""People, for those who manage them."""

from __future__ import annotations

from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import Prefetch
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts import actions
from accounts.forms import PasswordForm, PersonForm, RoleForm
from accounts.models import Membership, Team, User
from accounts.permissions import Role, Verb
from accounts.scoping import require
from core.errors import InvalidInput
from core.http import posted, signed_in, typed

PER_PAGE = 50
ROOM = {"nav_room": "people"}


@require_safe
def people(request: HttpRequest) -> HttpResponse:
    """Everybody who can sign in, and the teams."""
    require(signed_in(request), Verb.ACCOUNT_MANAGE)
    memberships = Membership.objects.select_related("team").order_by("team__name")
    found = User.objects.order_by("username").prefetch_related(Prefetch("memberships", memberships))
    words = typed(request.GET, "q", most=150)
    if words:
        found = found.filter(username__icontains=words)
    page = Paginator(found, PER_PAGE).get_page(request.GET.get("page"))
    teams = Team.objects.order_by("name").prefetch_related("memberships")
    context = {"page": page, "q": words, "teams": teams, **ROOM}
    return render(request, "accounts/people.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
def new(request: HttpRequest) -> HttpResponse:
    """Somebody new, with a first password to be handed over."""
    user = signed_in(request)
    require(user, Verb.ACCOUNT_MANAGE)
    form = PersonForm(posted(request))
    if form.is_valid():
        try:
            person = actions.create_person(
                actor=user,
                username=form.cleaned_data["username"],
                password=form.cleaned_data["password"],
                role=Role(form.cleaned_data["role"]),
            )
        except InvalidInput as problem:
            form.add_error(problem.field, problem.message)
        else:
            messages.success(request, f"{person.username} can sign in now.")
            return redirect("accounts:people")
    status = 422 if form.errors else 200
    return render(request, "accounts/new_person.html", {"form": form, **ROOM}, status=status)


@require_http_methods(["GET", "HEAD", "POST"])
def person(request: HttpRequest, pk: int) -> HttpResponse:
    """Role, and whether they may sign in."""
    user = signed_in(request)
    require(user, Verb.ACCOUNT_MANAGE)
    someone = get_object_or_404(User, pk=pk)
    form = RoleForm(posted(request), initial={"role": someone.role, "active": someone.is_active})
    if form.is_valid():
        actions.change_person(
            actor=user,
            person=someone,
            role=Role(form.cleaned_data["role"]),
            active=form.cleaned_data["active"],
        )
        messages.success(request, f"{someone.username} was changed.")
        return redirect("accounts:people")
    return _person_page(request, someone, form, PasswordForm(), status=422 if form.errors else 200)


@require_POST
def password(request: HttpRequest, pk: int) -> HttpResponse:
    """A new password for somebody who lost theirs."""
    user = signed_in(request)
    require(user, Verb.ACCOUNT_MANAGE)
    someone = get_object_or_404(User, pk=pk)
    form = PasswordForm(request.POST)
    if form.is_valid():
        try:
            actions.set_password(actor=user, person=someone, password=form.cleaned_data["password"])
        except InvalidInput as problem:
            form.add_error(problem.field, problem.message)
        else:
            messages.success(request, f"{someone.username} has a new password.")
            return redirect("accounts:people")
    roles = RoleForm(initial={"role": someone.role, "active": someone.is_active})
    return _person_page(request, someone, roles, form, status=422)


def _person_page(
    request: HttpRequest, someone: User, roles: RoleForm, passwords: PasswordForm, *, status: int
) -> HttpResponse:
    context = {
        "person": someone,
        "form": roles,
        "password_form": passwords,
        "memberships": someone.memberships.select_related("team").order_by("team__name"),
        **ROOM,
    }
    return render(request, "accounts/person.html", context, status=status)
