"""What a person may choose for a machine's disks and drives: pools, volumes, images."""

from __future__ import annotations

from typing import Any, Final

from django.db.models import Q, QuerySet

from accounts.models import User
from accounts.permissions import Verb
from domains.models import Domain, DomainFile, TrashedDisk
from domains.snapshots.files import keeping_from
from hypervisor.specs import ImageFormat
from storage.models import Pool, PoolQuerySet, Volume, VolumeKind, VolumeQuerySet

# The devices whose media can be changed.
DRIVES: Final = ("cdrom", "floppy")
FLOPPY_BYTES: Final = int(2.88 * 1000 * 1024)


def pools(user: User, domain: Domain) -> PoolQuerySet:
    """Where a new disk may lie: any pool of its host that they may see, and those in which it has disks already."""
    here = Pool.objects.filter(host=domain.host_id, gone_at=None, state="running")
    paths = domain.disks.exclude(path="").values("path")
    known = Q(volumes__path__in=paths, volumes__gone_at=None)
    seen = here.permitted(user, Verb.STORAGE_VIEW).values("pk")
    found: PoolQuerySet = here.filter(Q(pk__in=seen) | known).distinct().order_by("name")
    return found


def volumes(user: User, domain: Domain) -> VolumeQuerySet:
    """Disks that may be attached to it: its own team's, and for those who see storage also nobody's. Never others'."""
    here = Volume.objects.present().filter(pool__host=domain.host_id, pool__state="running")
    disks = here.filter(format__in=list(ImageFormat)).exclude(kind=VolumeKind.ISO)
    whose = Q(team=domain.team_id) if domain.team_id else Q(pk__in=())
    whose |= Q(team=None, pk__in=_seen(user))
    found: VolumeQuerySet = disks.filter(whose).select_related("pool__host", "team")
    return found


def unused(user: User, domain: Domain) -> VolumeQuerySet:
    """Those of `volumes` that nothing needs, or that are shared already; none that this machine has."""
    files = DomainFile.objects.filter(domain__host=domain.host_id, domain__gone_at=None)
    used, named = files.filter(Q(shareable=False) | Q(domain=domain.pk)), files.exclude(volume_name="")
    bases = Volume.objects.filter(pool__host=domain.host_id, gone_at=None).exclude(backing_path="")
    found: VolumeQuerySet = (
        volumes(user, domain)
        .exclude(path__in=used.values("path"))
        .exclude(pool__name__in=named.values("pool_name"), name__in=named.values("volume_name"))
        .exclude(path__in=TrashedDisk.objects.filter(trashed__host=domain.host_id).values("path"))
        .exclude(path__in=keeping_from(domain).values("path"))
        .exclude(path__in=bases.values("backing_path"))
        .filter(backing_path="")
    )
    return found


def images(user: User, domain: Domain, device: str) -> VolumeQuerySet:
    """What fits into a drive: ISO images, or raw files of a floppy's size.

    Who doesn't see storage gets those that were brought to the panel; what else lies in a pool may not be for them.
    """
    here = Volume.objects.present().filter(pool__host=domain.host_id, pool__state="running")
    if device == "floppy":
        here = here.filter(format=ImageFormat.RAW, capacity_bytes__range=(1, FLOPPY_BYTES))
    else:
        here = here.filter(kind=VolumeKind.ISO)
    here = here.filter(Q(ours=True) | Q(pk__in=_seen(user)))
    found: VolumeQuerySet = here.select_related("pool").order_by("label", "name")
    return found


def _seen(user: User) -> QuerySet[Any, Any]:
    return Volume.objects.permitted(user, Verb.STORAGE_VIEW).values("pk")
