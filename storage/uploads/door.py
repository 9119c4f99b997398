"""Who sends: the same session or token as everywhere, checked before the first byte is taken."""

from __future__ import annotations

import io
from typing import Any

from django.conf import settings
from django.contrib.auth.middleware import AuthenticationMiddleware
from django.contrib.sessions.middleware import SessionMiddleware
from django.core.exceptions import DisallowedHost
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpResponse
from ninja.errors import HttpError

from accounts.authentication import SessionOrToken
from accounts.models import User
from storage.uploads.protocol import Refused

SAFE = frozenset({"HEAD", "OPTIONS"})


def sender(scope: Any) -> User:
    """The person who sends this. Raises Refused: 401 for strangers, 403 for other sites, 400 for a wrong Host."""
    request = ASGIRequest(scope, io.BytesIO())
    try:
        request.get_host()
    except DisallowedHost:
        raise Refused(400, "This panel has another name.") from None
    SessionMiddleware(_nothing).process_request(request)
    AuthenticationMiddleware(_nothing).process_request(request)
    if "Authorization" not in request.headers and request.method not in SAFE:
        _check_origin(request)
    try:
        user = SessionOrToken()(request)
    except HttpError as error:
        raise Refused(error.status_code, str(error)) from None
    if user is None:
        raise Refused(401, "Sign in first.", WWW_Authenticate="Bearer")
    return user


def _check_origin(request: ASGIRequest) -> None:
    """RFC 6454: browsers send it with every unsafe request; one of ours, exactly, or nothing is taken."""
    if request.headers.get("Origin") not in settings.PANEL_ORIGINS:
        raise Refused(403, "This page belongs to another site.")


def _nothing(request: Any) -> HttpResponse:
    return HttpResponse()
