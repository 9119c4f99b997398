"""Small things that views share."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from django.http import HttpRequest

if TYPE_CHECKING:
    from accounts.models import User


def signed_in(request: HttpRequest) -> User:
    """The person, for views behind the sign-in door: the middleware has turned strangers away."""
    return cast("User", request.user)


def idempotency_key(request: HttpRequest) -> str | None:
    """The `Idempotency-Key` header or the form's `key`, at most 100 characters; None where neither is given."""
    key = request.headers.get("Idempotency-Key") or request.POST.get("key") or ""
    return key[:100] or None
