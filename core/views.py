"""Pages that belong to no room: health, and the site's error pages."""

from __future__ import annotations

from django.core.cache import cache
from django.db import connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET


@require_GET
def health(request: HttpRequest) -> JsonResponse:
    """200 when this process can read its database and its Redis; for the supervisor and for load balancers."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    cache.get("health")
    return JsonResponse({"status": "ok"})


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """A form that came without its token: most often a page left open over a sign-out."""
    return render(
        request,
        "core/error.html",
        {
            "error": {
                "message": "This form is too old, or came from another site.",
                "fix": "Go back, reload the page and send it again.",
            }
        },
        status=403,
    )


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """404: there is no such thing, or the person may not see it; the two look alike on purpose."""
    error = {"message": "There is nothing here.", "fix": "It may have been deleted, or you may not see it."}
    return render(request, "core/error.html", {"error": error}, status=404)


def broken(request: HttpRequest) -> HttpResponse:
    """500: our fault. The id finds the log line."""
    error = {
        "message": "Something in the panel broke.",
        "fix": f"Tell your operator the number {getattr(request, 'correlation_id', '')}.",
    }
    return render(request, "core/error.html", {"error": error}, status=500)
