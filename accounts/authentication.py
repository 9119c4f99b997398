"""How a REST call says who it is: a bearer token (RFC 6750), or the browser's session with its CSRF token."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.http import HttpRequest, HttpResponseForbidden
from django.middleware.csrf import CsrfViewMiddleware
from django.utils import timezone
from ninja.errors import HttpError
from ninja.security.base import AuthBase

from accounts.models import ApiToken, User

BEARER = "Bearer "
# `last_used_at` is for people who clean up; writing it at every call would make each read a write.
USED_EVERY = timedelta(minutes=5)


class SessionOrToken(AuthBase):
    """Sets `request.user` for both ways, so that views need not know which it was."""

    openapi_type = "http"
    openapi_scheme = "bearer"

    def __call__(self, request: HttpRequest) -> User | None:
        """The person, or None (401). A session without a CSRF token is refused with 403 for unsafe methods."""
        header = request.headers.get("Authorization", "")
        if header:
            user = _by_token(header)
            if user is not None:
                request.user = user
            return user
        if not isinstance(request.user, User):
            return None
        _check_csrf(request)
        return request.user


def _by_token(header: str) -> User | None:
    if not header.startswith(BEARER):
        return None
    digest = ApiToken.hash(header.removeprefix(BEARER).strip())
    token = ApiToken.objects.select_related("user").filter(digest=digest, user__is_active=True).first()
    if token is None or token.expired:
        return None
    now = timezone.now()
    if token.last_used_at is None or now - token.last_used_at > USED_EVERY:
        ApiToken.objects.filter(pk=token.pk).update(last_used_at=now)
    return token.user


class _CsrfCheck(CsrfViewMiddleware):
    """Django's check without its page: a program gets a line of words."""

    def _reject(self, request: HttpRequest, reason: str) -> HttpResponseForbidden:
        return HttpResponseForbidden(reason)


def _check_csrf(request: HttpRequest) -> None:
    def nothing(_: HttpRequest) -> Any:
        return None

    check = _CsrfCheck(nothing)
    request._dont_enforce_csrf_checks = False  # type: ignore[attr-defined]
    check.process_request(request)
    if check.process_view(request, nothing, (), {}) is not None:
        raise HttpError(403, "The CSRF token is missing or wrong.")
