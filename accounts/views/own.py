"""One's own account: password, look, tokens."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth import update_session_auth_hash
from django.forms import Form
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts import actions
from accounts.forms import OwnPasswordForm, TokenForm
from core.errors import InvalidInput
from core.http import posted, signed_in


@require_safe
def account(request: HttpRequest) -> HttpResponse:
    """Who one is here, and the tokens one made."""
    return _page(request, TokenForm())


def _page(request: HttpRequest, form: Form, *, fresh: str = "", status: int = 200) -> HttpResponse:
    user = signed_in(request)
    context = {
        "form": form,
        "fresh": fresh,
        "tokens": user.tokens.order_by("-created_at"),
        "memberships": user.memberships.select_related("team").order_by("team__name"),
    }
    return render(request, "accounts/account.html", context, status=status)


@require_http_methods(["GET", "HEAD", "POST"])
def password(request: HttpRequest) -> HttpResponse:
    """Change it; the old one is asked for, and this login lives on."""
    user = signed_in(request)
    form = OwnPasswordForm(posted(request), user=user)
    if form.is_valid():
        try:
            actions.change_own_password(
                actor=user,
                password=form.cleaned_data["password"],
                session_key=request.session.session_key or "",
            )
        except InvalidInput as problem:
            form.add_error(problem.field, problem.message)
        else:
            update_session_auth_hash(request, user)
            messages.success(request, "Your password was changed. Your other logins have ended.")
            return redirect("accounts:account")
    status = 422 if form.errors else 200
    return render(request, "accounts/password.html", {"form": form}, status=status)


@require_POST
def theme(request: HttpRequest) -> HttpResponse:
    """Remember light, dark or automatic for the next page; this one has changed already."""
    actions.change_theme(actor=signed_in(request), theme=request.POST.get("theme", ""))
    return HttpResponse(status=204)


@require_POST
@never_cache
def create_token(request: HttpRequest) -> HttpResponse:
    """The only answer that ever holds the token itself."""
    form = TokenForm(request.POST)
    if not form.is_valid():
        return _page(request, form, status=422)
    _, text = actions.create_token(
        actor=signed_in(request), name=form.cleaned_data["name"], days=int(form.cleaned_data["days"]) or None
    )
    return _page(request, TokenForm(), fresh=text)


@require_POST
def revoke_token(request: HttpRequest, pk: int) -> HttpResponse:
    """One of one's own."""
    user = signed_in(request)
    token = get_object_or_404(user.tokens, pk=pk)
    actions.revoke_token(actor=user, token=token)
    messages.success(request, f"The token “{token.name}” no longer works.")
    return redirect("accounts:account")
