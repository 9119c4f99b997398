"""Pages that belong to no room: health, and the site's error pages."""

from __future__ import annotations

from django.core.cache import cache
from django.db import connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.http import require_GET

from core.errors import PanelError
from core.http import show_error


@require_GET
def health(request: HttpRequest) -> JsonResponse:
    """200 when this process can read its database and its Redis; for the supervisor and for load balancers."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    cache.get("health")
    return JsonResponse({"status": "ok"})


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """A form that came without its token: most often a page left open over a sign-out."""
    error = PanelError(
        "This form is too old, or came from another site.", fix="Go back, reload the page and send it again."
    )
    return show_error(request, error, status=403)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """404: there is no such thing, or the person may not see it; the two look alike on purpose."""
    error = PanelError("There is nothing here.", fix="It may have been deleted, or you may not see it.")
    return show_error(request, error, status=404)


def broken(request: HttpRequest) -> HttpResponse:
    """500: our fault. The number finds the log line."""
    error = PanelError("Something in the panel broke.", fix="Tell your operator the number below.")
    return show_error(request, error, status=500)
