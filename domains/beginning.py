"""How every operation about a machine begins: its state looked at, the audit row, the operation.

For actions, which have looked at the right, and for operations on many machines, which begin one for each.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from django.db import models

import audit
from accounts.models import User
from core.errors import Conflict
from domains.lifecycle import RULES, refusal
from domains.models import Domain
from operations import actions as operations
from operations.models import Operation


def begin(
    kind: str,
    *,
    domain: Domain,
    actor: User | None,
    params: dict[str, Any] | None = None,
    details: dict[str, Any] | None = None,
    title: str = "",
    idempotency_key: str | None = None,
    parent: Operation | None = None,
    long: bool = False,
    holds: Collection[models.Model] = (),
    takes: Collection[models.Model] = (),
) -> Operation:
    """Submit an operation of `kind`, as `actions.ask.ask` does; inside a transaction.

    Raises TargetBusy, and Conflict where the kind makes no sense in the state last seen.
    """
    rule = RULES[kind]
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
        long=long or rule.long,
        holds=holds,
        takes=takes,
    )
