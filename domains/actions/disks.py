"""Asking for disks to be added, attached, changed, made larger and taken out."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from django.db import transaction

from accounts.models import User
from accounts.permissions import Verb
from accounts.scoping import require
from core.errors import Conflict, InvalidInput
from core.units import GIB, human_bytes
from domains import disk_checks, disk_choices, targets
from domains.actions.ask import ask
from domains.actions.delete import disks_of
from domains.disk_wishes import DiskPlan, DiskSettings, ExistingDisk, NewDisk
from domains.models import Domain, DomainDisk, DomainState, Presence, SnapshotFile
from hypervisor.limits import IoLimits
from hypervisor.specs import CacheMode, Discard, DiskBus
from operations import actions as operations
from operations.models import Operation
from storage import actions as storage
from storage.models import Volume, VolumeKind

# How long a guest has to let go of a disk.
PATIENCE_S = 60
MAX_PATIENCE_S = 600


@transaction.atomic
def add(*, domain: Domain, new: NewDisk, actor: User, idempotency_key: str | None = None) -> Operation:
    """Ask for a new, empty disk; its volume and its target are reserved now.

    Raises Forbidden, TargetBusy, Conflict in a state without that, and InvalidInput beside a field.
    """
    require(actor, Verb.DOMAIN_EDIT, domain)
    kind = "domain.disk.add"

    def begin() -> Operation:
        if not disk_choices.pools(actor, domain).filter(pk=new.pool.pk).exists():
            raise InvalidInput("This pool can't be used for this machine.", field="pool")
        for problem in disk_checks.settings(domain, new.settings):
            raise problem
        for problem in disk_checks.size(new.pool, new.size_gib, new.format):
            raise problem
        target = targets.free(domain, DiskBus(new.settings.bus))
        volume = storage.reserve(
            pool=new.pool,
            label=f"{domain.name[:150]} disk {target}",
            format=new.format,
            capacity_bytes=new.size_gib * GIB,
            kind=VolumeKind.DISK,
            team=domain.team,
        )
        plan = DiskPlan(volume=volume.uuid, target=target, shareable=False, settings=new.settings)
        return ask(
            kind,
            domain=domain,
            actor=actor,
            params={"disk": plan.to_params()},
            details={"disk": target, "pool": new.pool.name, "capacity_bytes": volume.capacity_bytes},
            title=f"Add disk {target} to {domain.name}",
            idempotency_key=idempotency_key,
            takes=[volume],
        )

    return operations.once(actor, idempotency_key, begin, kind=kind, target=domain)


@transaction.atomic
def attach(
    *, domain: Domain, wanted: ExistingDisk, actor: User, idempotency_key: str | None = None
) -> Operation:
    """Ask for a volume that is there to be plugged in; until that has ended nothing else is done with it.

    Raises Forbidden, TargetBusy, Conflict, and InvalidInput: the field `volume` for one that others need.
    """
    require(actor, Verb.DOMAIN_EDIT, domain)
    kind = "domain.disk.attach"
    before = operations.earlier(actor, idempotency_key, kind, domain)
    if before is not None:
        return before
    for problem in disk_checks.settings(domain, wanted.settings):
        raise problem
    volume = _reserved(wanted.volume, domain, actor)
    for problem in disk_checks.volume(domain, volume, shareable=wanted.shareable):
        raise problem
    target = targets.free(domain, DiskBus(wanted.settings.bus))
    plan = DiskPlan(volume=volume.uuid, target=target, shareable=wanted.shareable, settings=wanted.settings)
    return ask(
        kind,
        domain=domain,
        actor=actor,
        params={"disk": plan.to_params()},
        details={"disk": target, "volume": str(volume)},
        title=f"Attach {volume} to {domain.name}",
        idempotency_key=idempotency_key,
        takes=[volume],
    )


def _reserved(wanted: Volume, domain: Domain, actor: User) -> Volume:
    """The volume as it is now, locked until the transaction ends. Raises InvalidInput."""
    allowed = disk_choices.volumes(actor, domain)
    volume: Volume | None = allowed.select_for_update(of=("self",)).filter(pk=wanted.pk).first()
    if volume is None:
        raise InvalidInput("This disk can't be attached to this machine.", field="volume")
    return volume


@transaction.atomic
def detach(
    *,
    domain: Domain,
    target: str,
    actor: User,
    delete_volume: bool = False,
    patience_s: int = PATIENCE_S,
    idempotency_key: str | None = None,
) -> Operation:
    """Ask for a disk to be taken out; a running guest has `patience_s` to let go of it. Its volume stays, or goes.

    Raises Forbidden, TargetBusy, Conflict, and InvalidInput for a volume that others need.
    """
    require(actor, Verb.DOMAIN_EDIT, domain)
    before = operations.earlier(actor, idempotency_key, "domain.disk.detach", domain)
    if before is not None:
        return before
    disk = disk_of(domain, target)
    if not (disk.path or disk.volume_name):
        raise Conflict(f"{target} is not in a file, a device or a pool of the host: virsh can detach it.")
    if not 1 <= patience_s <= MAX_PATIENCE_S:
        raise InvalidInput(f"Give 1 to {MAX_PATIENCE_S} s.", field="patience_s")
    params: dict[str, Any] = {"target": target, "path": disk.path, "patience_s": patience_s}
    going: list[Volume] = []
    if delete_volume:
        possible = next((one for one in disks_of(domain) if one.target == target), None)
        if possible is None:
            raise InvalidInput("It lies in no pool that the panel knows.", field="delete_volume")
        if possible.kept_because:
            raise InvalidInput(f"It stays: {possible.kept_because}", field="delete_volume")
        if SnapshotFile.objects.filter(
            path=disk.path, snapshot__domain=domain, snapshot__gone_at=None
        ).exists():
            raise InvalidInput(
                "It stays: a snapshot needs it.", field="delete_volume", fix="Delete the snapshot first."
            )
        params["volume"] = str(possible.volume.uuid)
        going.append(possible.volume)
    return ask(
        "domain.disk.detach",
        domain=domain,
        actor=actor,
        params=params,
        details={"disk": target, "path": disk.path, "deleted": delete_volume},
        title=f"Detach disk {target} from {domain.name}",
        idempotency_key=idempotency_key,
        takes=going,
    )


@transaction.atomic
def change(
    *, domain: Domain, target: str, settings: DiskSettings, actor: User, idempotency_key: str | None = None
) -> Operation:
    """Ask for a disk to be as `settings` say. Limits change at once, cache and discard with the next start.

    Another bus, and so another target, is for machines that are off. Raises Forbidden, TargetBusy, Conflict, and
    InvalidInput beside a field.
    """
    require(actor, Verb.DOMAIN_EDIT, domain)
    before = operations.earlier(actor, idempotency_key, "domain.disk.change", domain)
    if before is not None:
        return before
    disk = _steady(domain, target)
    moved = settings.bus != settings_of(disk).bus
    if moved and settings.bus not in set(DiskBus):
        raise InvalidInput("Give virtio, scsi or sata.", field="bus")
    if moved and domain.state != DomainState.OFF:
        raise InvalidInput("The bus changes only while the machine is off.", field="bus")
    if settings.cache not in set(CacheMode):
        raise InvalidInput(f"Give {', '.join(CacheMode)}.", field="cache")
    if settings.discard not in set(Discard):
        raise InvalidInput(f"Give {' or '.join(Discard)}.", field="discard")
    for problem in disk_checks.limits(settings.limits):
        raise problem
    after = targets.free(domain, DiskBus(settings.bus)) if moved else target
    return ask(
        "domain.disk.change",
        domain=domain,
        actor=actor,
        params={
            "target": target,
            "path": disk.path,
            "after": after,
            "moved": moved,
            "settings": asdict(settings),
        },
        details={"disk": target} | asdict(settings),
        title=f"Change disk {target} of {domain.name}",
        idempotency_key=idempotency_key,
    )


@transaction.atomic
def resize(
    *, domain: Domain, target: str, size_gib: int, actor: User, idempotency_key: str | None = None
) -> Operation:
    """Ask for a disk to be made larger, also while the machine runs; its system sees the new size at once.

    Raises Forbidden, TargetBusy, Conflict, and InvalidInput for the field `size_gib`.
    """
    require(actor, Verb.DOMAIN_EDIT, domain)
    before = operations.earlier(actor, idempotency_key, "domain.disk.resize", domain)
    if before is not None:
        return before
    disk = _steady(domain, target)
    volume = volume_of(domain, disk)
    if volume is None:
        raise Conflict(f"{target} lies in no pool that the panel knows: its size can't be changed here.")
    if size_gib * GIB <= volume.capacity_bytes:
        raise InvalidInput(
            f"It has {human_bytes(volume.capacity_bytes)} now, and a disk can only grow.", field="size_gib"
        )
    for problem in disk_checks.size(volume.pool, size_gib, volume.format, has_bytes=volume.capacity_bytes):
        raise problem
    for problem in disk_checks.growth(volume):
        raise problem
    return ask(
        "domain.disk.resize",
        domain=domain,
        actor=actor,
        params={"target": target, "volume": str(volume.uuid), "capacity_bytes": size_gib * GIB},
        details={"disk": target, "from_bytes": volume.capacity_bytes, "to_bytes": size_gib * GIB},
        title=f"Make disk {target} of {domain.name} {size_gib:,} GiB large",
        idempotency_key=idempotency_key,
        takes=[volume],
    )


def disk_of(domain: Domain, target: str) -> DomainDisk:
    """The disk of that target. Raises Conflict where there is none, or only a drive for media."""
    disk: DomainDisk | None = (
        domain.disks.filter(target=target).exclude(device__in=disk_choices.DRIVES).first()
    )
    if disk is None:
        raise Conflict(f"{domain.name} has no disk {target[:32]} (any more).")
    return disk


def _steady(domain: Domain, target: str) -> DomainDisk:
    """One that this run and the next have. Raises Conflict."""
    disk = disk_of(domain, target)
    if disk.present != Presence.BOTH:
        raise Conflict(f"{target} comes or goes with the next start. Start the machine anew first.")
    return disk


def volume_of(domain: Domain, disk: DomainDisk) -> Volume | None:
    """The volume in which the disk lies, where the panel knows it."""
    if not disk.path:
        return None
    found: Volume | None = (
        Volume.objects.present()
        .filter(pool__host=domain.host_id, path=disk.path)
        .select_related("pool__host")
        .first()
    )
    return found


def settings_of(disk: DomainDisk) -> DiskSettings:
    """How the disk will be plugged in at the next start: what a change starts from."""
    later = dict(disk.pending)
    return DiskSettings(
        bus=later.get("bus", disk.bus),
        cache=later.get("cache", disk.cache) or CacheMode.DEFAULT.value,
        discard=later.get("discard", disk.discard) or Discard.IGNORE.value,
        limits=IoLimits(
            read_bytes_s=disk.read_bytes_s,
            write_bytes_s=disk.write_bytes_s,
            read_iops=disk.read_iops,
            write_iops=disk.write_iops,
        ),
    )
