"""How a machine leaves its host: the operations that move it, and that shut it down.

Asked for by people through `domains.actions`, and by operations on a whole host as their parts. Who may was looked at
there.
"""

from __future__ import annotations

import audit
from accounts.models import User
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

# How long a guest may take to shut down before people are told that it doesn't.
PATIENCE_S = 300


def move(
    domain: Domain,
    target: Host | None,
    options: MoveOptions,
    *,
    actor: User | None,
    idempotency_key: str | None = None,
    parent: Operation | None = None,
) -> Operation:
    """Begin the move to `target`, or with None to the host that suits it best; inside a transaction.

    Room for copied disks is reserved now. Raises InvalidInput, TargetBusy, and Conflict with all that is in the way.
    """
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
    copies = [volume for _, here, there in move.copies for volume in (here, there)]
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
        takes=Volume.objects.filter(uuid__in=copies),
    )


def stop(domain: Domain, *, actor: User | None, parent: Operation | None = None) -> Operation:
    """Begin to shut it down and to wait until it is off; it fails where the guest ignores that. Raises TargetBusy."""
    audit.record(actor, "domain.shutdown", target=domain)
    return operations.submit(
        "domain.shutdown",
        title=f"Shut {domain.name} down",
        target=domain,
        actor=actor,
        team=domain.team,
        params={"host": str(domain.host.uuid), "domain": str(domain.uuid), "patience_s": PATIENCE_S},
        parent=parent,
    )


def start(domain: Domain, *, actor: User | None, parent: Operation | None = None) -> Operation:
    """Begin to start it. Raises TargetBusy."""
    audit.record(actor, "domain.start", target=domain)
    return operations.submit(
        "domain.start",
        title=f"Start {domain.name}",
        target=domain,
        actor=actor,
        team=domain.team,
        params={"host": str(domain.host.uuid), "domain": str(domain.uuid)},
        parent=parent,
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
    """A row for the copy. It is filled byte by byte, so the source's own size is what it gets, and is promised."""
    old = placing.volume
    copy = storage.reserve(
        pool=placing.pool,
        label=old.label or f"{domain.name} {placing.target}"[:200],
        format=old.format,
        capacity_bytes=old.capacity_bytes,
        kind=VolumeKind.DISK,
        team=domain.team,
    )
    Volume.objects.filter(pk=copy.pk).update(allocation_bytes=old.allocation_bytes)
    return copy
