"""Tells the rooms below what machines use of theirs: volumes, networks, hosts."""

from __future__ import annotations

from collections.abc import Collection

from django.db.models import Q
from django.urls import reverse

from domains.models import Domain, DomainDisk, DomainNic, DomainState, SnapshotFile, TrashedDisk
from hosts.models import Host
from networks.plugged import Plug
from operations.models import Operation, OperationQuerySet
from storage.usage import Use


def machines_with(host: Host, paths: Collection[str]) -> dict[str, list[Use]]:
    """By path, the machines on `host` that have it as a disk or in a drive. One query."""
    disks = DomainDisk.objects.filter(path__in=paths, domain__host=host, domain__gone_at=None)
    users: dict[str, list[Use]] = {}
    for path, name, uuid in disks.order_by("domain__name").values_list(
        "path", "domain__name", "domain__uuid"
    ):
        users.setdefault(path, []).append(Use(name=name, url=reverse("domains:detail", args=[uuid])))
    return users


def trash_with(host: Host, paths: Collection[str]) -> dict[str, list[Use]]:
    """By path, the machines in the trash whose disk it is. One query."""
    disks = TrashedDisk.objects.filter(path__in=paths, trashed__host=host)
    users: dict[str, list[Use]] = {}
    for path, name, uuid in disks.values_list(
        "path", "trashed__domain__name", "trashed__domain__uuid"
    ).order_by("trashed__domain__name"):
        use = Use(name=f"{name} (in the trash)", url=reverse("domains:detail", args=[uuid]))
        users.setdefault(path, []).append(use)
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
    for path, name, uuid in files.order_by("snapshot__domain__name").values_list(
        "path", "snapshot__domain__name", "snapshot__domain__uuid"
    ):
        use = Use(name=f"{name} (a snapshot)", url=reverse("domains:snapshots", args=[uuid]))
        users.setdefault(path, []).append(use)
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
