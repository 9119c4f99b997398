"""What people do to accounts is told by signals, because `accounts` lies below this room."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

from django.conf import settings
from django.contrib.auth.signals import user_logged_in, user_logged_out, user_login_failed
from django.core.cache import cache
from django.dispatch import receiver
from django.http import HttpRequest

import audit
from accounts.models import User
from accounts.signals import acted


@receiver(acted)
def account_changed(actor: User | None, verb: str, target: Any, details: dict[str, Any], **_: object) -> None:
    """An action in `accounts`, in its own transaction."""
    audit.record(actor, verb, target=target, **details)


@receiver(user_logged_in)
def signed_in(user: User, request: HttpRequest, **_: object) -> None:
    """With the address it came from."""
    audit.record(user, "account.signed_in", target=user, address=_address(request))


@receiver(user_logged_out)
def signed_out(user: User | None, request: HttpRequest, **_: object) -> None:
    """A session that had run out already belongs to nobody."""
    if user is not None:
        audit.record(user, "account.signed_out", target=user, address=_address(request))


@receiver(user_login_failed)
def failed(credentials: dict[str, Any], request: HttpRequest | None = None, **_: object) -> None:
    """A wrong password. Once the pair of name and address is locked, one row says so and the rest is silence."""
    name, address = str(credentials.get("username", ""))[:150], _address(request)
    if not getattr(request, "axes_locked_out", False):
        audit.record(None, "account.failed", label=name, address=address)
    elif cache.add(f"audit.locked.{sha256(f'{name} {address}'.encode()).hexdigest()}", 1, _lock_seconds()):
        audit.record(None, "account.locked", label=name, address=address)


def _lock_seconds() -> int:
    return int(settings.AXES_COOLOFF_TIME * 3600)


def _address(request: HttpRequest | None) -> str:
    return str(request.META.get("REMOTE_ADDR", "")) if request is not None else ""
