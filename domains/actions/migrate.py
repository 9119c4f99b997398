"""Asking for a machine to be moved to another host."""

from __future__ import annotations

from django.db import transaction

import audit
from accounts.models import User
from accounts.permissions import Verb
from accounts.scoping import require
from core.errors import Conflict, InvalidInput
from domains import destinations
from domains.models import Domain
from domains.moving import Move, MoveOptions
from domains.preflight import Placing, Preflight, look
from hosts.models import Host
from operations import actions as operations
from operations.models import Operation
from storage import actions as storage
from storage.models import Volume, VolumeKind

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
    parent: Operation | None = None,
) -> Operation:
    """Ask for the machine to go to `target`, or with None to the host that suits it best.

    Room for copied disks is reserved now. Raises Forbidden, InvalidInput, TargetBusy, and Conflict with all that is in
    the way.
    """
    require(actor, Verb.DOMAIN_MIGRATE, domain)
    _check(options)
    return operations.once(
        actor, idempotency_key, lambda: _migrate(domain, target, options, actor, idempotency_key, parent)
    )


def _migrate(
    domain: Domain,
    target: Host | None,
    options: MoveOptions,
    actor: User,
    idempotency_key: str | None,
    parent: Operation | None,
) -> Operation:
    chosen, preflight = _destination(domain, target, options)
    move = Move(
        domain=domain.uuid,
        name=domain.name,
        source=domain.host.uuid,
        target=chosen.uuid,
        live=domain.on,
        copies=tuple((p.target, p.volume.uuid, _reserve(domain, p).uuid) for p in preflight.copies),
        shared=tuple((p.target, p.volume.pool.uuid, p.pool.uuid) for p in preflight.shared),
        drives=tuple((p.target, p.path) for p in preflight.drives),
        eject=tuple((disk.target, disk.path) for disk in preflight.eject),
        options=options,
    )
    audit.record(actor, "domain.migrate", target=domain, source=domain.host.name, to=chosen.name)
    return operations.submit(
        "domain.migrate",
        title=f"Move {domain.name} to {chosen.name}"[:255],
        target=domain,
        actor=actor,
        team=domain.team,
        params=move.to_params(),
        idempotency_key=idempotency_key,
        parent=parent,
        long=True,
    )


def _destination(domain: Domain, target: Host | None, options: MoveOptions) -> tuple[Host, Preflight]:
    if target is None:
        best = destinations.best(domain, options)
        if best is None:
            raise Conflict(
                f"No other host can take {domain.name} now.",
                fix="Choose a host, to see what is in the way there.",
            )
        return best.host, best.preflight
    if options.pool and not target.pools.filter(name=options.pool, gone_at=None).exists():
        raise InvalidInput(f"{target.name} has no pool {options.pool}.", field="pool")
    preflight = look(domain, target, options)
    if not preflight.possible:
        raise Conflict(
            " ".join(finding.text for finding in preflight.blockers),
            fix=" ".join(finding.fix for finding in preflight.blockers if finding.fix),
        )
    return target, preflight


def _reserve(domain: Domain, placing: Placing) -> Volume:
    """A row for the copy. It is filled byte by byte, so the source's own size is what it gets."""
    old = placing.volume
    return storage.reserve(
        pool=placing.pool,
        label=old.label or f"{domain.name} {placing.target}"[:200],
        format=old.format,
        capacity_bytes=old.capacity_bytes,
        kind=VolumeKind.DISK,
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
