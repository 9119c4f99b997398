"""Asking the agent in a guest to do something there."""

from __future__ import annotations

import unicodedata
from datetime import timedelta
from enum import StrEnum
from typing import Final

from django.db import transaction
from django.db.models.functions import Now

from accounts.models import User
from accounts.permissions import Verb
from accounts.scoping import require
from core.errors import InvalidInput
from domains.actions.ask import ask
from domains.models import Domain, GuestSecret
from operations import actions as operations
from operations.models import Operation

SHORTEST_S: Final = 1
LONGEST_S: Final = 600
USUAL_S: Final = 60
MOST_USER: Final = 64
MOST_PASSWORD: Final = 256
# An operation ends long before; what a defect left behind goes then.
FORGOTTEN: Final = timedelta(days=1)


class GuestVerb(StrEnum):
    """What an agent is asked for without more words."""

    PING = "ping"
    THAW = "thaw"
    TRIM = "trim"


def command(*, verb: GuestVerb, domain: Domain, actor: User, idempotency_key: str | None = None) -> Operation:
    """Ask for `verb`. Raises Forbidden, Conflict where the machine is off, TargetBusy.

    To thaw while an operation of the panel keeps the file systems frozen is to cancel that one.
    """
    if verb is GuestVerb.THAW:
        require(actor, Verb.DOMAIN_GUEST, domain)
        frozen = Operation.objects.active().about("domain", domain.uuid).filter(kind="domain.guest.freeze")
        if (holding := frozen.first()) is not None:
            return operations.cancel(operation=holding, actor=actor)
    return ask(f"domain.guest.{verb}", domain=domain, actor=actor, idempotency_key=idempotency_key)


def freeze(*, domain: Domain, seconds: int, actor: User, idempotency_key: str | None = None) -> Operation:
    """Ask for all file systems to be frozen for `seconds`. Raises as `command`, and InvalidInput."""
    if not SHORTEST_S <= seconds <= LONGEST_S:
        raise InvalidInput(f"Give {SHORTEST_S} to {LONGEST_S} seconds.", field="seconds")
    return ask(
        "domain.guest.freeze",
        domain=domain,
        actor=actor,
        params={"seconds": seconds},
        details={"seconds": seconds},
        idempotency_key=idempotency_key,
    )


@transaction.atomic
def set_password(
    *, domain: Domain, user: str, password: str, actor: User, idempotency_key: str | None = None
) -> Operation:
    """Ask for the password of the guest's account `user` to be set. Raises as `command`, and InvalidInput.

    It is kept sealed, beside the operation, until that ends.
    """
    require(actor, Verb.DOMAIN_GUEST, domain)
    before = operations.earlier(actor, idempotency_key, "domain.guest.password", domain)
    if before is not None:
        return before
    # The agent hands "user:password" and a line's end to its system: none of the two may hold what divides them.
    if not user or len(user) > MOST_USER or ":" in user or _unspeakable(user):
        raise InvalidInput(f"Give a name of 1 to {MOST_USER} characters, without a colon.", field="user")
    if not password or len(password) > MOST_PASSWORD or _unspeakable(password):
        raise InvalidInput(f"Give 1 to {MOST_PASSWORD} characters in one line.", field="password")
    GuestSecret.objects.filter(made_at__lt=Now() - FORGOTTEN).delete()
    secret = GuestSecret.objects.create(text=password)
    return ask(
        "domain.guest.password",
        domain=domain,
        actor=actor,
        params={"user": user, "secret": str(secret.uuid)},
        details={"user": user},
        idempotency_key=idempotency_key,
    )


def _unspeakable(text: str) -> bool:
    """Whether it holds what ends a line, or what no text may hold."""
    return any(unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") for character in text)
