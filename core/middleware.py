"""What every answer carries: a correlation id, a strict policy, and errors as words."""

from __future__ import annotations

import secrets
from collections.abc import Callable

import structlog
from django.http import HttpRequest, HttpResponse

from core.errors import PanelError
from core.http import show_error

GetResponse = Callable[[HttpRequest], HttpResponse]

# No inline script or style anywhere; images may be data: because thumbnails and icons are; the live socket is 'self'.
POLICY = "; ".join(
    [
        "default-src 'self'",
        "img-src 'self' data: blob:",
        "style-src 'self'",
        "script-src 'self'",
        "connect-src 'self'",
        "font-src 'self'",
        "object-src 'none'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    ]
)


def correlation(get_response: GetResponse) -> GetResponse:
    """Give each request an id that stands in every log line and, on an error, before the person."""

    def middleware(request: HttpRequest) -> HttpResponse:
        request.correlation_id = secrets.token_hex(8)  # type: ignore[attr-defined]
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=request.correlation_id)  # type: ignore[attr-defined]
        response = get_response(request)
        response["X-Request-ID"] = request.correlation_id  # type: ignore[attr-defined]
        return response

    return middleware


def content_security_policy(get_response: GetResponse) -> GetResponse:
    """Content-Security-Policy (W3C CSP Level 3) on every page."""

    def middleware(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        response.setdefault("Content-Security-Policy", POLICY)
        response.setdefault(
            "Permissions-Policy", "camera=(), microphone=(), geolocation=(), interest-cohort=()"
        )
        return response

    return middleware


class say_errors:  # noqa: N801  (middleware is named like the functions beside it)
    """Turn a PanelError that a view let through into a page, or into a fragment where htmx asked."""

    sync_capable = True
    async_capable = False

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """Django calls this with what the view raised."""
        if not isinstance(exception, PanelError):
            return None
        return show_error(request, exception, status=exception.status)
