"""How every wish about a machine begins: the right, the same click before, the state, the audit row, the operation."""

from __future__ import annotations

from typing import Any

from django.db import transaction

import audit
from accounts.models import User
from accounts.scoping import require
from core.errors import Conflict
from domains.lifecycle import RULES, refusal
from domains.models import Domain
from operations import actions as operations
from operations.models import Operation


@transaction.atomic
def ask(
    kind: str,
    *,
    domain: Domain,
    actor: User,
    params: dict[str, Any] | None = None,
    details: dict[str, Any] | None = None,
    title: str = "",
    idempotency_key: str | None = None,
    parent: Operation | None = None,
    long: bool = False,
) -> Operation:
    """Submit an operation of `kind`, one of `lifecycle.RULES`, about `domain`.

    `params` are added to the machine's and its host's UUIDs; they are kept, so no secret belongs in them. `details` go
    into the audit row. Raises Forbidden, TargetBusy, and Conflict where the kind makes no sense in the state last seen.
    """
    rule = RULES[kind]
    require(actor, rule.verb, domain)
    before = operations.earlier(actor, idempotency_key, kind, domain)
    if before is not None:
        return before
    why = refusal(kind, domain)
    if why:
        raise Conflict(why)
    audit.record(actor, kind, target=domain, **(details or {}))
    return operations.submit(
        kind,
        title=title or rule.title.format(name=domain.name),
        target=domain,
        actor=actor,
        team=domain.team,
        params={"host": str(domain.host.uuid), "domain": str(domain.uuid)} | (params or {}),
        idempotency_key=idempotency_key,
        parent=parent,
        long=long,
    )
