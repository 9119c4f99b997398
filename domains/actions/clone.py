"""Asking for a machine that is made from another one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from django.db import transaction

import audit
from accounts.models import User
from accounts.permissions import Verb
from accounts.scoping import require
from core.errors import Conflict, InvalidInput
from core.events import publish
from core.units import human_bytes, human_mib
from domains import names
from domains.actions.create import CONTROL, MAX_DESCRIPTION, MIN_MEMORY_MIB
from domains.actions.reserve import reserve
from domains.cloning import ClonePlan, CopiedDisk
from domains.lifecycle import refusal
from domains.models import Domain, DomainDisk
from domains.wishes import Clone
from hypervisor.specs import ImageFormat
from operations import actions as operations
from operations.models import Operation
from storage import actions as storage
from storage import space
from storage.models import Pool, Volume, VolumeKind


@dataclass(frozen=True, slots=True)
class Original:
    """A disk of the machine that is copied, and its volume; `trouble` says why it can't be copied, blank if it can."""

    disk: DomainDisk
    volume: Volume | None
    trouble: str


def originals(source: Domain) -> list[Original]:
    """The machine's disks, in the order of their targets; drives for media are not among them."""
    disks = [disk for disk in source.disks.all() if disk.device not in ("cdrom", "floppy")]
    volumes = Volume.objects.present().filter(
        pool__host=source.host, path__in=[disk.path for disk in disks if disk.path]
    )
    known = {volume.path: volume for volume in volumes.select_related("pool")}
    return [_original(disk, known.get(disk.path)) for disk in disks]


def _original(disk: DomainDisk, volume: Volume | None) -> Original:
    trouble = ""
    if volume is None or disk.device != "disk":
        trouble = f"Disk {disk.target} lies in no storage pool that the panel knows."
    elif disk.format not in set(ImageFormat):
        trouble = f"Disk {disk.target} is {disk.format or 'of an unknown format'}: only qcow2 and raw can be copied."
    return Original(disk, volume, trouble)


def problems(new: Clone) -> Iterator[InvalidInput]:
    """Everything that is wrong with it, each beside its field."""
    host = new.source.host
    if not names.valid(new.name):
        yield InvalidInput("This name can't be used.", field="name", fix=names.NAME_RULE)
    elif Domain.objects.present().filter(host=host, name=new.name).exists():
        yield InvalidInput(
            f"{host.name} has a virtual machine of this name already.",
            field="name",
            fix="Choose another name.",
        )
    if len(new.description) > MAX_DESCRIPTION or CONTROL.search(new.description):
        yield InvalidInput(f"At most {MAX_DESCRIPTION} characters that can be shown.", field="description")
    if not 1 <= new.vcpus <= max(host.cpus, 1):
        yield InvalidInput(f"{host.name} has {host.cpus} CPUs: give 1 to {host.cpus} vCPUs.", field="vcpus")
    if not MIN_MEMORY_MIB <= new.memory_mib <= max(host.memory_mib, MIN_MEMORY_MIB):
        most = human_mib(host.memory_mib)
        yield InvalidInput(f"Give {MIN_MEMORY_MIB} MiB to {most}.", field="memory_mib")
    if new.linked and not new.source.template:
        yield InvalidInput(
            f"Only a template's disks never change, and {new.source.name} is none.",
            field="linked",
            fix="Make it a template first, or copy its disks.",
        )
    yield from _places(new)


def _places(new: Clone) -> Iterator[InvalidInput]:
    host = new.source.host
    if new.network is not None and (new.network.host_id != host.pk or not new.network.active):
        yield InvalidInput("This network isn't active on this host.", field="network")
    pool = new.pool
    if pool is not None and (pool.host_id != host.pk or pool.gone_at is not None or not pool.usable):
        yield InvalidInput("This pool can't be used on this host now.", field="pool")
    elif not new.linked:
        yield from _too_large(new)


def _too_large(new: Clone) -> Iterator[InvalidInput]:
    needed: dict[Pool, int] = {}
    for original in originals(new.source):
        if original.volume is not None:
            pool = new.pool or original.volume.pool
            needed[pool] = needed.get(pool, 0) + original.volume.allocation_bytes
    free = space.free_bytes_of(needed)
    for pool, size in needed.items():
        if size > free[pool.pk]:
            words = (
                f"The disks take {human_bytes(size)}, pool {pool.name} has {human_bytes(free[pool.pk])} free."
            )
            yield InvalidInput(words, field="pool", fix="Free some space there, or choose another pool.")


@transaction.atomic
def clone(*, new: Clone, actor: User, idempotency_key: str | None = None) -> Operation:
    """Ask for `new`. Its name, UUID, disks and MAC addresses are chosen now; the original is held until it is made.

    Raises Forbidden, InvalidInput (the first of `problems`), Conflict where the original can't be copied now, and
    TargetBusy where something is at work on it.
    """
    require(actor, Verb.DOMAIN_CREATE)
    require(actor, Verb.DOMAIN_VIEW, new.source)
    return operations.once(
        actor, idempotency_key, lambda: _clone(new, actor, idempotency_key), kind="domain.clone"
    )


def _clone(new: Clone, actor: User, idempotency_key: str | None) -> Operation:
    source = new.source
    why = refusal("domain.clone", source) or next((o.trouble for o in originals(source) if o.trouble), "")
    if why:
        raise Conflict(why, fix="Shut it down first." if source.on else "")
    for problem in problems(new):
        raise problem
    domain = reserve(
        host=source.host,
        name=new.name,
        description=new.description,
        team=new.team,
        vcpus=new.vcpus,
        memory_mib=new.memory_mib,
        firmware=source.firmware,
        owner=actor,
    )
    plan = ClonePlan(
        host=source.host.uuid,
        source=source.uuid,
        domain=domain.uuid,
        name=new.name,
        description=new.description,
        vcpus=new.vcpus,
        memory_mib=new.memory_mib,
        network=None if new.network is None else new.network.name,
        linked=new.linked,
        disks=tuple(_copied(new, original) for original in originals(source)),
        macs={nic.mac.lower(): names.fresh_mac() for nic in source.nics.all()},
        start=new.start,
    )
    audit.record(actor, "domain.clone", target=domain, source=source.name, linked=new.linked)
    publish("domains")
    return operations.submit(
        "domain.clone",
        title=f"Make {new.name} from {source.name}",
        target=domain,
        actor=actor,
        team=new.team,
        params=plan.to_params(),
        idempotency_key=idempotency_key,
        long=not new.linked and _in_use(source) >= space.LONG_COPY_BYTES,
        holds=[source],
        takes=Volume.objects.filter(uuid__in=[disk.volume for disk in plan.disks]),
    )


def _in_use(source: Domain) -> int:
    """How many bytes of its disks there are to copy."""
    return sum(original.volume.allocation_bytes for original in originals(source) if original.volume)


def _copied(new: Clone, original: Original) -> CopiedDisk:
    disk, volume = original.disk, original.volume
    if volume is None:
        raise Conflict(original.trouble)
    made = storage.reserve(
        pool=new.pool or volume.pool,
        label=f"{new.name} disk {disk.target}",
        format=ImageFormat.QCOW2 if new.linked else disk.format,
        capacity_bytes=volume.capacity_bytes,
        kind=VolumeKind.DISK,
        team=new.team,
    )
    return CopiedDisk(target=disk.target, source=volume.uuid, volume=made.uuid, format=disk.format)
