"""What a definition would take that others have: disks, and the addresses of network cards."""

from __future__ import annotations

import posixpath
from collections.abc import Collection

from django.urls import reverse

from domains.models import Domain, DomainDisk, DomainNic
from hosts.models import Host
from hypervisor.facts import DiskFacts
from hypervisor.xml.disks import disk_facts
from hypervisor.xml.elements import document
from hypervisor.xml.nics import nic_facts
from hypervisor.xml.policy import Objection
from storage.models import Volume
from storage.usage import based_on, users_of

# A definition without anything: all that another one has is new against it.
NOTHING = "<domain/>"
_DRIVES = frozenset({"cdrom", "floppy"})


def new_disks(base: str, wanted: str) -> list[DiskFacts]:
    """The disks, not the media, of `wanted` that `base` has not, or not for itself alone."""
    before = {_key(disk) for disk in disk_facts(document(base), None)}
    return [
        disk
        for disk in disk_facts(document(wanted), None)
        if disk.device not in _DRIVES and (disk.path or disk.volume) and _key(disk) not in before
    ]


def volume_of(host: Host, disk: DiskFacts) -> Volume | None:
    """The volume that a disk names by its path, or by its pool and its own name; None where no pool we know has it."""
    rows = Volume.objects.present().filter(pool__host=host, pool__gone_at=None).select_related("pool__host")
    named = (
        rows.filter(path=clean(disk.path))
        if disk.path
        else rows.filter(pool__name=disk.pool, name=disk.volume)
    )
    found: Volume | None = named.first()
    return found


def clean(path: str) -> str:
    """The one way to write an absolute path."""
    return f"/{posixpath.normpath(path).lstrip('/')}"


def objections(
    domain: Domain, host: Host, base: str, wanted: str, *, spared: Collection[str] = ()
) -> list[Objection]:
    """What is new in `wanted`, a definition of `domain` for `host`, and not free; all of it final.

    Volumes at the paths `spared` may be based on its disks: they are its own.
    """
    disks = [(disk, volume_of(host, disk)) for disk in new_disks(base, wanted)]
    placed = [
        (disk, volume, volume.path if volume else disk.path and clean(disk.path)) for disk, volume in disks
    ]
    users = users_of(host, {path for _, _, path in placed if path})
    here = reverse("domains:detail", args=[domain.uuid])
    found = []
    for disk, volume, path in placed:
        sharing = _sharing(host, path) if disk.shareable else set()
        uses = [use for use in users.get(path, []) if not use.url.startswith(here) and use.url not in sharing]
        layer = None if volume is None or disk.readonly else based_on(volume, spared=spared)
        if uses:
            names = ", ".join(use.name for use in uses[:3])
            found.append(_taken(f"disk {path}", f"{path} is in use by {names}."))
        elif layer is not None:
            found.append(_taken(f"disk {path}", f"{layer} is based on {path} and would break."))
    return found + _addresses(domain, base, wanted)


def _key(disk: DiskFacts) -> tuple[str, str, str, bool]:
    return disk.path and clean(disk.path), disk.pool, disk.volume, disk.shareable


def _sharing(host: Host, path: str) -> set[str]:
    """The pages of the machines that have this disk as one of several, too."""
    rows = DomainDisk.objects.filter(domain__host=host, domain__gone_at=None, path=path)
    alone = set(rows.filter(shareable=False).values_list("domain__uuid", flat=True))
    having = set(rows.values_list("domain__uuid", flat=True)) - alone
    return {reverse("domains:detail", args=[uuid]) for uuid in having}


def _addresses(domain: Domain, base: str, wanted: str) -> list[Objection]:
    before, after = ({nic.mac.lower() for nic in nic_facts(document(xml), None)} for xml in (base, wanted))
    rows = macs_of_others(domain, after - before)
    return [
        _taken(f"interface {mac}", f"{name} has the MAC address {mac}.") for mac, name in sorted(rows.items())
    ]


def macs_of_others(domain: Domain, macs: Collection[str]) -> dict[str, str]:
    """Those of these addresses, in small letters, that another machine has, with its name."""
    cards = DomainNic.objects.filter(mac__in=macs, domain__gone_at=None, domain__host__gone_at=None)
    return dict(cards.exclude(domain=domain).exclude(mac="").values_list("mac", "domain__name"))


def _taken(key: str, text: str) -> Objection:
    return Objection(key=key, text=text, final=True)
