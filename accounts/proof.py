"""Whether it is really the person who sits there: asked for by password before what could ruin a host."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from time import time
from typing import Final

from django.contrib.auth import SESSION_KEY, authenticate
from django.http import HttpRequest

from accounts.models import User
from core.errors import InvalidInput
from core.http import signed_in

FRESH: Final = timedelta(minutes=10)
_KEPT: Final = "proved_at"


@dataclass(frozen=True, slots=True)
class Proof:
    """That `user` gave their password a moment ago. Actions that want one can't be called without."""

    user: User


def fresh(request: HttpRequest) -> Proof | None:
    """The proof that this login gave within FRESH; a token never has one."""
    user = signed_in(request)
    if not _by_session(request, user) or time() - request.session.get(_KEPT, 0) > FRESH.total_seconds():
        return None
    return Proof(user)


def prove(request: HttpRequest, password: str) -> Proof:
    """Take the password, or a fresh proof in its place. Raises InvalidInput for a wrong one.

    Wrong ones count like those at the sign-in page: after a few, the person is locked out for a while.
    """
    kept = None if password else fresh(request)
    if kept is not None:
        return kept
    user = signed_in(request)
    found = (
        authenticate(request=request, username=user.get_username(), password=password) if password else None
    )
    if found is None or found.pk != user.pk:
        words = "This is not your password." if password else "Your password is needed for this."
        raise InvalidInput(words, field="password")
    if _by_session(request, user):
        request.session[_KEPT] = int(time())
    return Proof(user)


def _by_session(request: HttpRequest, user: User) -> bool:
    """A call by token may carry a cookie, too: of anybody."""
    return request.session.get(SESSION_KEY) == str(user.pk) and "Authorization" not in request.headers
