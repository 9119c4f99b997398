"""What ends consoles from elsewhere in the panel: a sign-out, a token taken back, rights that changed."""

from __future__ import annotations

from typing import Any

import structlog
from django.contrib.auth.signals import user_logged_out
from django.db import transaction
from django.db.models.signals import post_delete
from django.dispatch import receiver
from django.http import HttpRequest
from redis.exceptions import RedisError

from accounts.models import ApiToken, Membership, User
from accounts.signals import logins_ended, rights_changed
from console import desk, tickets
from console.closing import Closing

log = structlog.get_logger(__name__)


@receiver(user_logged_out, dispatch_uid="console.signed_out")
def signed_out(request: HttpRequest | None = None, **_: Any) -> None:
    """One login ended: so do its consoles."""
    session = getattr(request, "session", None)
    if session is not None and session.session_key:
        _close(why=Closing.SIGNED_OUT, session_hash=tickets.session_hash(session.session_key))


@receiver(post_delete, sender=ApiToken, dispatch_uid="console.token_revoked")
def token_revoked(instance: ApiToken, **_: Any) -> None:
    """A token's digest is what its consoles are known by."""
    why = Closing.SIGNED_OUT
    transaction.on_commit(lambda: _close(why=why, session_hash=instance.digest), robust=True)


@receiver(post_delete, sender=Membership, dispatch_uid="console.left_team")
def left_team(instance: Membership, **_: Any) -> None:
    """Somebody left a team, or the whole team went."""
    why = Closing.RIGHTS_CHANGED
    transaction.on_commit(lambda: _close(why=why, user_id=instance.user_id), robust=True)


@receiver(logins_ended, dispatch_uid="console.logins_ended")
def all_signed_out(user: User, keep: str = "", **_: Any) -> None:
    """All logins of a person ended. Where one lives on, its pages come back with new tickets, the others can't."""
    _close(why=Closing.RIGHTS_CHANGED if keep else Closing.SIGNED_OUT, user_id=user.pk)


@receiver(rights_changed, dispatch_uid="console.rights_changed")
def rights_are_new(user: User, **_: Any) -> None:
    """Every console asks for a new ticket; those that the person may still open come back at once."""
    _close(why=Closing.RIGHTS_CHANGED, user_id=user.pk)


def _close(**what: Any) -> None:
    try:
        tickets.close(desk.redis(), **what)
    except RedisError as error:
        # Signing out must not fail with Redis; the session itself ends in the database.
        log.error("consoles could not be ended", error=str(error))
