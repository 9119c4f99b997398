"""Asking for a new machine."""

from __future__ import annotations

import re
from collections.abc import Iterator

from django.db import transaction

import audit
from accounts.models import User
from accounts.permissions import Verb
from accounts.scoping import require
from core.errors import Conflict, InvalidInput
from core.events import publish
from core.units import GIB, human_bytes, human_mib
from domains import names
from domains.actions.place import place
from domains.actions.reserve import reserve
from domains.images import in_the_way
from domains.models import Domain
from domains.plan import Plan
from domains.wishes import Anywhere, NewDomain, Wish
from operations import actions as operations
from operations.models import Operation
from storage import actions as storage
from storage import space
from storage.models import Volume, VolumeKind

MIN_MEMORY_MIB = 64
MAX_DESCRIPTION = 1000
# What neither XML 1.0 (§2.2) nor PostgreSQL's text can hold.
CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
# The largest disk that virtio-blk guests of today can be trusted with, and far below what a byte count can hold.
MAX_DISK_GIB = 64 * 1024


def problems(new: NewDomain | Anywhere) -> Iterator[InvalidInput]:
    """Everything that is wrong with it, each beside its field."""
    yield from _itself(new)
    if isinstance(new, NewDomain):
        yield from _begins_with(new)
        yield from _there(new)
        yield from _places(new)


def _itself(new: Wish) -> Iterator[InvalidInput]:
    """What would be wrong on any host."""
    if not names.valid(new.name):
        yield InvalidInput("This name can't be used.", field="name", fix=names.NAME_RULE)
    if len(new.description) > MAX_DESCRIPTION:
        yield InvalidInput(f"At most {MAX_DESCRIPTION} characters.", field="description")
    if CONTROL.search(new.description):
        yield InvalidInput("It holds characters that can't be shown.", field="description")
    if new.vcpus < 1:
        yield InvalidInput("At least one.", field="vcpus")
    if new.memory_mib < MIN_MEMORY_MIB:
        yield InvalidInput(f"At least {MIN_MEMORY_MIB} MiB.", field="memory_mib")
    if not 1 <= new.disk_gib <= MAX_DISK_GIB:
        yield InvalidInput(f"Give 1 to {MAX_DISK_GIB:,} GiB.", field="disk_gib")
    if new.disk_format not in ("qcow2", "raw"):
        yield InvalidInput("Give qcow2 or raw.", field="disk_format")
    if new.firmware not in ("bios", "uefi"):
        yield InvalidInput("Give bios or uefi.", field="firmware")
    if new.iso is not None and not (new.iso.kind == VolumeKind.ISO and new.iso.ready):
        yield InvalidInput("This is not an ISO image that is ready.", field="iso")


def _begins_with(new: NewDomain) -> Iterator[InvalidInput]:
    """What is wrong with the disk that its own begins with."""
    image = new.image
    if image is None:
        return
    if not (image.kind == VolumeKind.DISK and image.ours and image.ready and image.gone_at is None):
        yield InvalidInput("This is not a disk that is ready.", field="image")
        return
    why = in_the_way(image, as_it_is=new.as_it_is)
    if why:
        yield InvalidInput(why, field="image", fix="Choose another one.")
    elif not new.as_it_is and image.capacity_bytes > new.disk_gib * GIB:
        size = -(-image.capacity_bytes // GIB)
        yield InvalidInput(f"The image alone has {size} GiB.", field="disk_gib", fix=f"Give at least {size}.")


def _there(new: NewDomain) -> Iterator[InvalidInput]:
    """What is wrong with its name and its sizes on this host."""
    host = new.host
    if names.valid(new.name) and Domain.objects.present().filter(host=host, name=new.name).exists():
        yield InvalidInput(
            f"{host.name} has a virtual machine of this name already.",
            field="name",
            fix="Choose another name.",
        )
    if new.vcpus > max(host.cpus, 1):
        yield InvalidInput(f"{host.name} has {host.cpus} CPUs: give 1 to {host.cpus} vCPUs.", field="vcpus")
    if new.memory_mib > host.memory_mib:
        yield InvalidInput(
            f"{host.name} has only {human_mib(host.memory_mib)} of memory.", field="memory_mib"
        )
    if new.as_it_is:
        return
    if new.disk_format == "raw" and new.disk_gib * GIB > new.pool.available_bytes:
        free = human_bytes(new.pool.available_bytes)
        yield InvalidInput(
            f"Pool {new.pool.name} has {free} free.",
            field="disk_gib",
            fix="Give less, or choose qcow2, which grows with use.",
        )
    elif new.disk_gib * GIB > new.pool.capacity_bytes:
        size = human_bytes(new.pool.capacity_bytes)
        yield InvalidInput(f"All of pool {new.pool.name} is {size}.", field="disk_gib", fix="Give less.")


def _places(new: NewDomain) -> Iterator[InvalidInput]:
    host = new.host
    if not host.up or host.gone_at is not None:
        yield InvalidInput(f"{host.name} can't be reached now.", field="host", fix="Choose another host.")
    elif host.maintenance:
        yield InvalidInput(f"{host.name} is in maintenance.", field="host", fix="Choose another host.")
    if new.pool.host_id != host.pk or new.pool.gone_at is not None or not new.pool.usable:
        yield InvalidInput("This pool can't be used on this host now.", field="pool")
    if new.network is not None and (new.network.host_id != host.pk or not new.network.active):
        yield InvalidInput("This network isn't active on this host.", field="network")
    iso, image = new.iso, new.image
    if image is not None and image.pool.host_id != host.pk:
        yield InvalidInput(f"This disk isn't on {host.name}.", field="image")
    if iso is not None and iso.pool.host_id != host.pk:
        yield InvalidInput("This ISO image isn't on this host.", field="iso")
    if new.firmware == "uefi" and not host.uefi:
        yield InvalidInput(f"{host.name} has no UEFI firmware.", field="firmware", fix="Install ovmf on it.")


@transaction.atomic
def create(*, new: NewDomain | Anywhere, actor: User, idempotency_key: str | None = None) -> Operation:
    """Ask for `new`: its place, name, UUID, disk and MAC are reserved now, the rest is the operation's work.

    The same key from the same person gives the operation that its first call made.
    Raises Forbidden, InvalidInput (the first of `problems`) and Conflict where the name is being taken just now.
    """
    require(actor, Verb.DOMAIN_CREATE)
    return operations.once(
        actor, idempotency_key, lambda: _create(new, actor, idempotency_key), kind="domain.create"
    )


def _create(new: NewDomain | Anywhere, actor: User, idempotency_key: str | None) -> Operation:
    why = ""
    if isinstance(new, Anywhere):
        for problem in problems(new):
            raise problem
        new, why = place(new)
    for problem in problems(new):
        raise problem
    domain = reserve(
        host=new.host,
        name=new.name,
        description=new.description,
        team=new.team,
        vcpus=new.vcpus,
        memory_mib=new.memory_mib,
        firmware=new.firmware,
        owner=actor,
    )
    disk = _disk(new)
    plan = _plan(new, domain, disk)
    audit.record(
        actor, "domain.create", target=domain, host=new.host.name, vcpus=new.vcpus, memory_mib=new.memory_mib
    )
    publish("domains")
    operation = operations.submit(
        "domain.create",
        title=f"Create {new.name}",
        target=domain,
        actor=actor,
        team=new.team,
        params=plan.to_params(),
        idempotency_key=idempotency_key,
        long=_copies_much(new),
        holds=[new.image] if new.image is not None and not new.as_it_is else [],
        takes=[disk],
    )
    if why:
        operations.remark(operation, why)
    return operation


def _plan(new: NewDomain, domain: Domain, disk: Volume) -> Plan:
    return Plan(
        host=new.host.uuid,
        domain=domain.uuid,
        name=new.name,
        description=new.description,
        vcpus=new.vcpus,
        memory_mib=new.memory_mib,
        firmware=new.firmware,
        disk=disk.uuid,
        iso=new.iso.uuid if new.iso else None,
        image=new.image.uuid if new.image else None,
        as_it_is=new.as_it_is,
        network=new.network.name if new.network else None,
        mac=names.fresh_mac(),
        start=new.start,
    )


def _copies_much(new: NewDomain) -> bool:
    return new.image is not None and not new.as_it_is and new.image.allocation_bytes >= space.LONG_COPY_BYTES


def _disk(new: NewDomain) -> Volume:
    """The row of its disk: a new one, or the one that is there, which nobody else can choose from here on."""
    if new.image is None or not new.as_it_is:
        return storage.reserve(
            pool=new.pool,
            label=f"{new.name} disk",
            format=new.disk_format,
            capacity_bytes=new.disk_gib * GIB,
            kind=VolumeKind.DISK,
            team=new.team,
        )
    if not Volume.objects.filter(pk=new.image.pk, ready=True, gone_at=None).update(ready=False):
        raise Conflict("Something else takes this disk just now.", fix="Choose another one.")
    return new.image
