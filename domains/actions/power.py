"""Asking for a machine to be started, stopped and the like."""

from __future__ import annotations

from django.db import transaction

import audit
from accounts.models import User
from accounts.permissions import Verb
from accounts.scoping import require
from core.errors import Conflict
from domains.models import Domain, DomainState
from domains.power import RULES, PowerVerb, offered
from operations import actions as operations
from operations.models import Operation


@transaction.atomic
def power(*, verb: PowerVerb, domain: Domain, actor: User, idempotency_key: str | None = None) -> Operation:
    """Ask for `verb`; what happens is told by the operation's events.

    Raises Forbidden, Conflict where the verb makes no sense in the state last seen, TargetBusy.
    """
    require(actor, Verb.DOMAIN_POWER, domain)
    before = operations.earlier(actor, idempotency_key, f"domain.{verb}", domain)
    if before is not None:
        return before
    rule = RULES[verb]
    if not offered(verb, domain.state):
        state = DomainState(domain.state).label.lower()
        raise Conflict(f"“{rule.label}” makes no sense now: {domain.name} is {state}.")
    audit.record(actor, f"domain.{verb}", target=domain)
    return operations.submit(
        f"domain.{verb}",
        title=rule.title.format(name=domain.name),
        target=domain,
        actor=actor,
        team=domain.team,
        params={"host": str(domain.host.uuid), "domain": str(domain.uuid)},
        idempotency_key=idempotency_key,
    )
