"""Emptying a host for its maintenance, and bringing its machines back."""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

from django.db import transaction

import audit
from accounts.models import User
from accounts.permissions import Verb
from accounts.scoping import require
from core.errors import Conflict
from domains.draining import Fate, last_done
from hosts.models import Host
from operations import actions as operations
from operations.models import Operation


@transaction.atomic
def drain(
    *,
    host: Host,
    fates: Mapping[UUID, Fate],
    otherwise: Fate,
    actor: User,
    idempotency_key: str | None = None,
) -> Operation:
    """Put the host into maintenance and let each machine that runs there leave as `fates` says, or `otherwise`.

    Machines go where it suits them best when their turn comes; one that can't is told, and the others go on.
    Raises Forbidden, TargetBusy, and Conflict for a host that doesn't answer.
    """
    require(actor, Verb.HOST_MANAGE, host)
    before = operations.earlier(actor, idempotency_key, "host.drain", host)
    if before is not None:
        return before
    if not host.up:
        raise Conflict(f"{host.name} can't be reached.", fix="Nothing can leave it before it answers.")
    audit.record(actor, "host.drain", target=host, otherwise=otherwise.value)
    return operations.submit(
        "host.drain",
        title=f"Empty {host.name}",
        target=host,
        actor=actor,
        params={
            "host": str(host.uuid),
            "maintenance": host.maintenance,
            "otherwise": otherwise.value,
            "fates": {str(uuid): fate.value for uuid, fate in fates.items()},
        },
        idempotency_key=idempotency_key,
    )


@transaction.atomic
def bring_back(*, host: Host, actor: User, idempotency_key: str | None = None) -> Operation:
    """End the maintenance, move back what was moved to empty the host, and start what was shut down.

    Raises Forbidden, TargetBusy, and Conflict where there is nothing to bring back.
    """
    require(actor, Verb.HOST_MANAGE, host)
    before = operations.earlier(actor, idempotency_key, "host.bring-back", host)
    if before is not None:
        return before
    done = last_done(host)
    if not done:
        raise Conflict(f"No machine of {host.name} is away because it was emptied.")
    audit.record(actor, "host.bring_back", target=host)
    return operations.submit(
        "host.bring-back",
        title=f"Bring back the machines of {host.name}",
        target=host,
        actor=actor,
        params={
            "host": str(host.uuid),
            "maintenance": host.maintenance,
            "moved": done.moved,
            "stopped": done.stopped,
        },
        idempotency_key=idempotency_key,
    )
