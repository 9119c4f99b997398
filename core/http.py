"""Small things that views share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, cast

from django.http import HttpRequest, HttpResponse, JsonResponse, QueryDict
from django.shortcuts import render

from core.errors import InvalidInput, PanelError, TargetBusy

if TYPE_CHECKING:
    from accounts.models import User

API_PREFIX = "/api/"


def signed_in(request: HttpRequest) -> User:
    """The person, for views behind the sign-in door: the middleware has turned strangers away."""
    return cast("User", request.user)


def posted(request: HttpRequest) -> QueryDict | None:
    """What a form is bound to: all that was posted, even if it is nothing; None where the form is only shown."""
    return request.POST if request.method == "POST" else None


def typed(query: Mapping[str, str], name: str, *, most: int = 100) -> str:
    """One line of what was typed into a search field, blank where it is not there."""
    return one_line(query.get(name, ""), most=most)


def one_line(text: str, *, most: int = 100) -> str:
    """What to search for, at most `most` characters. Control characters go: PostgreSQL refuses NUL."""
    letters = (letter if letter.isprintable() else " " for letter in text[: 10 * most])
    return " ".join("".join(letters).split())[:most]


def idempotency_key(request: HttpRequest) -> str | None:
    """The `Idempotency-Key` header or the form's `key`, at most 100 characters; None where neither is given."""
    key = request.headers.get("Idempotency-Key") or request.POST.get("key") or ""
    return key[:100] or None


def problem(error: PanelError, *, status: int) -> JsonResponse:
    """RFC 9457 problem details; `fix` says what to do next, `field` and `operation` what it is about, `code` which."""
    details: dict[str, object] = {"title": error.message, "status": status, "fix": error.fix}
    if error.code:
        details["code"] = error.code
    if isinstance(error, InvalidInput):
        details["field"] = error.field
    if isinstance(error, TargetBusy):
        details["operation"] = error.operation_id
    return JsonResponse(details, status=status, content_type="application/problem+json")


def show_error(request: HttpRequest, error: PanelError, *, status: int) -> HttpResponse:
    """A page that says what happened; a message for the corner where htmx asked, problem details for REST."""
    if request.path.startswith(API_PREFIX):
        return problem(error, status=status)
    if request.headers.get("HX-Request") != "true":
        return render(request, "core/error.html", {"error": error}, status=status)
    response = render(request, "core/_error.html", {"error": error}, status=status)
    response["HX-Retarget"] = "#messages"
    response["HX-Reswap"] = "beforeend"
    return response
