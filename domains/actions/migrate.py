"""Asking for a machine to be moved to another host."""

from __future__ import annotations

from django.db import transaction

from accounts.models import User
from accounts.permissions import Verb
from accounts.scoping import require
from core.errors import InvalidInput
from domains import departures
from domains.models import Domain
from domains.moving import MoveOptions
from hosts.models import Host
from operations import actions as operations
from operations.models import Operation

MOST_BANDWIDTH_MIB_S = 1024 * 1024
MOST_DOWNTIME_MS = 60_000
MOST_POST_COPY_S = 24 * 3600


@transaction.atomic
def migrate(
    *,
    domain: Domain,
    target: Host | None,
    options: MoveOptions,
    actor: User,
    idempotency_key: str | None = None,
) -> Operation:
    """Ask for the machine to go to `target`, or with None to the host that suits it best.

    Room for copied disks is reserved now. Raises Forbidden, InvalidInput, TargetBusy, and Conflict with all that is in
    the way.
    """
    require(actor, Verb.DOMAIN_MIGRATE, domain)
    _check(options)
    return operations.once(
        actor,
        idempotency_key,
        lambda: departures.move(domain, target, options, actor=actor, idempotency_key=idempotency_key),
        kind="domain.migrate",
        target=domain,
    )


def _check(options: MoveOptions) -> None:
    limits = {
        "bandwidth_mib_s": MOST_BANDWIDTH_MIB_S,
        "downtime_ms": MOST_DOWNTIME_MS,
        "post_copy_after_s": MOST_POST_COPY_S,
    }
    for field, most in limits.items():
        if not 0 <= getattr(options, field) <= most:
            raise InvalidInput(f"Give 0 to {most:,}.", field=field)
