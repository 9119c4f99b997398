"""Tells the rooms below what machines use of theirs: volumes, networks, hosts."""

from __future__ import annotations

from collections.abc import Collection

from django.db.models import Q
from django.urls import reverse

from domains.models import Domain, DomainFile, DomainNic, DomainState, SnapshotFile, TrashedDisk
from hosts.models import Host
from networks.plugged import Plug
from operations.models import Operation, OperationQuerySet
from storage.models import Volume
from storage.usage import Use


def machines_with(host: Host, paths: Collection[str]) -> dict[str, list[Use]]:
    """By path, the machines on `host` that need it for a disk or a drive, now or at their next start. One query.

    One more where a machine names what it needs by pool and volume.
    """
    files = DomainFile.objects.filter(domain__host=host, domain__gone_at=None)
    rows = files.filter(Q(path__in=paths) | ~Q(volume_name="")).select_related("domain")
    found = list(rows.order_by("domain__name", "base"))
    named = _named(host, paths) if any(file.volume_name for file in found) else {}
    users: dict[str, list[Use]] = {}
    for file in found:
        path = file.path or named.get((file.pool_name, file.volume_name), "")
        url = reverse("domains:detail", args=[file.domain.uuid])
        if path and url not in {use.url for use in users.get(path, [])}:
            use = Use(name=file.domain.name, url=url, base=file.base, thing=file.domain)
            users.setdefault(path, []).append(use)
    return users


def _named(host: Host, paths: Collection[str]) -> dict[tuple[str, str], str]:
    """Those of `paths` that lie in pools, by the pool's name and the volume's."""
    volumes = Volume.objects.filter(pool__host=host, path__in=paths, gone_at=None)
    return {(pool, name): path for pool, name, path in volumes.values_list("pool__name", "name", "path")}


def trash_with(host: Host, paths: Collection[str]) -> dict[str, list[Use]]:
    """By path, the machines in the trash whose disk it is. One query."""
    disks = TrashedDisk.objects.filter(path__in=paths, trashed__host=host)
    users: dict[str, list[Use]] = {}
    for disk in disks.select_related("trashed__domain").order_by("trashed__domain__name"):
        domain = disk.trashed.domain
        url = reverse("domains:detail", args=[domain.uuid])
        users.setdefault(disk.path, []).append(Use(f"{domain.name} (in the trash)", url, thing=domain))
    return users


def snapshots_with(host: Host, paths: Collection[str]) -> dict[str, list[Use]]:
    """By path, the machines on `host` whose snapshots need it. One query."""
    files = SnapshotFile.objects.filter(
        path__in=paths,
        snapshot__gone_at=None,
        snapshot__domain__host=host,
        snapshot__domain__gone_at=None,
    )
    users: dict[str, list[Use]] = {}
    for file in files.select_related("snapshot__domain").order_by("snapshot__domain__name"):
        domain = file.snapshot.domain
        use = Use(
            f"{domain.name} (a snapshot)", reverse("domains:snapshots", args=[domain.uuid]), thing=domain
        )
        if use not in users.setdefault(file.path, []):
            users[file.path].append(use)
    return users


def cards_in(host: Host, sources: Collection[str]) -> dict[str, list[Plug]]:
    """By network or bridge, the machines' network cards in it. One query."""
    cards = DomainNic.objects.filter(source__in=sources, domain__host=host, domain__gone_at=None)
    plugs: dict[str, list[Plug]] = {}
    for card in cards.select_related("domain"):
        plug = Plug(
            name=card.domain.name,
            url=reverse("domains:detail", args=[card.domain.uuid]),
            mac=card.mac,
            model=card.model,
            on=card.domain.state == DomainState.RUNNING,
        )
        plugs.setdefault(card.source, []).append(plug)
    return plugs


def at_work_on(host: Host) -> OperationQuerySet:
    """The active operations about machines that are on `host`, leave it or come to it."""
    key = str(host.uuid)
    named = Q(params__host=key) | Q(params__source=key) | Q(params__target=key)
    here = Q(target_id__in=Domain.objects.present().filter(host=host).values("uuid"))
    found: OperationQuerySet = Operation.objects.active().filter(named | here, target_kind="domain")
    return found
