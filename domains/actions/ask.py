"""How every wish about a machine begins: the right, the same click before, the state, the audit row, the operation."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from django.db import models, transaction

from accounts.models import User
from accounts.scoping import require
from domains.beginning import begin
from domains.lifecycle import RULES
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
    holds: Collection[models.Model] = (),
    takes: Collection[models.Model] = (),
) -> Operation:
    """Submit an operation of `kind`, one of `lifecycle.RULES`, about `domain`.

    `params` are added to the machine's and its host's UUIDs; they are kept, so no secret belongs in them. `details` go
    into the audit row; `holds` and `takes` as in `operations.actions.submit`. Raises Forbidden, TargetBusy, and
    Conflict where the kind makes no sense in the state last seen.
    """
    require(actor, RULES[kind].verb, domain)
    before = operations.earlier(actor, idempotency_key, kind, domain)
    if before is not None:
        return before
    return begin(
        kind,
        domain=domain,
        actor=actor,
        params=params,
        details=details,
        title=title,
        idempotency_key=idempotency_key,
        parent=parent,
        long=long,
        holds=holds,
        takes=takes,
    )
