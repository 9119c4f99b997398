"""Asking for a machine to be started, stopped and the like."""

from __future__ import annotations

from accounts.models import User
from domains.actions.ask import ask
from domains.models import Domain
from domains.power import PowerVerb
from operations.models import Operation


def power(*, verb: PowerVerb, domain: Domain, actor: User, idempotency_key: str | None = None) -> Operation:
    """Ask for `verb`; what happens is told by the operation's events.

    Raises Forbidden, Conflict where the verb makes no sense in the state last seen, TargetBusy.
    """
    return ask(verb.kind, domain=domain, actor=actor, idempotency_key=idempotency_key)
