"""Disks that a new machine may begin with: those that the panel made or inspected, and no machine has."""

from __future__ import annotations

from accounts.models import User
from accounts.permissions import Verb
from hosts.models import Host
from hypervisor.specs import ImageFormat
from storage.models import Volume, VolumeKind
from storage.usage import Use, based_on, users_of


def free_disks(user: User, hosts: list[Host], *, as_it_is: bool) -> list[Volume]:
    """On these hosts, by name; `as_it_is` leaves out what others are based on."""
    disks = Volume.objects.permitted(user, Verb.STORAGE_VIEW).present()
    disks = disks.filter(
        kind=VolumeKind.DISK,
        ours=True,
        format__in=list(ImageFormat),
        pool__host__in=hosts,
        pool__state="running",
    )
    rows = list(disks.select_related("pool__host").order_by("label", "name"))
    used = {
        (host.pk, path)
        for host in hosts
        for path, uses in users_of(host, [row.path for row in rows if row.pool.host_id == host.pk]).items()
        if _needing(uses, as_it_is=as_it_is)
    }
    bases = set(
        Volume.objects.filter(pool__host__in=hosts, gone_at=None)
        .exclude(backing_path="")
        .values_list("pool__host_id", "backing_path")
        if as_it_is
        else ()
    )
    return [row for row in rows if (row.pool.host_id, row.path) not in used | bases]


def in_the_way(image: Volume, *, as_it_is: bool) -> str:
    """Why this disk can't be copied, or be a machine's own, now; blank where it can."""
    users = _needing(users_of(image.pool.host, [image.path]).get(image.path, []), as_it_is=as_it_is)
    if users:
        return f"{image} is in use by {users[0].name}."
    layer = based_on(image) if as_it_is else None
    return f"{layer} is based on it: it must not change." if layer is not None else ""


def _needing(uses: list[Use], *, as_it_is: bool) -> list[Use]:
    """Those in whose way it is; to copy a disk that others only read harms nobody."""
    return [use for use in uses if as_it_is or not use.base]
