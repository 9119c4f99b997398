"""Asking for a machine to be deleted, at once or by way of the trash, with those of its disks that the person chose."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.urls import reverse

from accounts.models import User
from accounts.permissions import Verb
from accounts.scoping import require
from core.errors import Conflict, InvalidInput
from domains.actions.ask import ask
from domains.models import Domain
from domains.snapshots.files import files_of, upper_first
from hosts.models import Host
from operations import actions as operations
from operations.models import Operation
from storage.models import Volume
from storage.usage import kept_because, users_of


@dataclass(frozen=True, slots=True)
class Deletable:
    """A disk that may go with its machine; `kept_because` says why it may not, blank where it may."""

    volume: Volume
    target: str
    kept_because: str


def disks_of(domain: Domain) -> list[Deletable]:
    """The machine's disks, and what its snapshots keep, as far as they lie in pools we know; no CD-ROM images."""
    paths = {disk.path: disk.target for disk in domain.disks.all() if disk.device == "disk" and disk.path}
    return deletable(domain, domain.host, files_of(domain) | paths)


def deletable(domain: Domain, host: Host, paths: Mapping[str, str]) -> list[Deletable]:
    """Of disks of `domain`, by their paths on `host` with their targets, those that lie in pools we know."""
    volumes = Volume.objects.present().filter(pool__host=host, path__in=paths).select_related("pool")
    users = users_of(host, paths.keys())
    here = reverse("domains:detail", args=[domain.uuid])
    known = {volume.path: volume for volume in volumes}
    backing = {path: volume.backing_path for path, volume in known.items()}
    found = []
    for path in upper_first(known, backing):
        others = [use for use in users.get(path, []) if not use.url.startswith(here)]
        kept = f"{others[0].name} uses it, too." if others else kept_because(known[path], spared=known)
        found.append(Deletable(known[path], paths[path], kept))
    return found


def chosen(possible: Collection[Deletable], volumes: Collection[UUID]) -> list[Deletable]:
    """Those of `possible` that `volumes` names. Raises InvalidInput for one that isn't among them, or must stay."""
    known = {disk.volume.uuid: disk for disk in possible}
    found = []
    for key in dict.fromkeys(volumes):
        disk = known.get(key)
        if disk is None:
            raise InvalidInput("This is not a disk of this virtual machine.", field="volumes")
        if disk.kept_because:
            raise InvalidInput(f"{disk.volume} can't be deleted: {disk.kept_because}", field="volumes")
        found.append(disk)
    going = {disk.volume.pk for disk in found}
    for disk in possible:
        if disk.volume.pk not in going and any(disk.volume.backing_path == one.volume.path for one in found):
            raise InvalidInput(
                f"{disk.volume} is based on one that was to go.", field="volumes", fix="Let both go, or none."
            )
    return [disk for disk in possible if disk.volume.pk in going]


def delete(
    *, domain: Domain, volumes: Collection[UUID], actor: User, idempotency_key: str | None = None
) -> Operation:
    """Ask for the machine to be stopped, undefined and forgotten, and for `volumes` of its disks to be deleted.

    Raises Forbidden, TargetBusy, Conflict for one that is protected, InvalidInput for a volume that isn't a disk of
    this machine or that others need.
    """
    return _take_away("domain.delete", domain, volumes, actor, idempotency_key, {})


def trash(
    *, domain: Domain, volumes: Collection[UUID], actor: User, idempotency_key: str | None = None
) -> Operation:
    """Ask for the machine to be stopped and kept in the trash; `volumes` are deleted with it when its time is over.

    Raises as `delete`, and Conflict where this panel keeps no trash.
    """
    if not settings.TRASH_DAYS:
        raise Conflict("This panel keeps no trash.", fix="Delete it at once.")
    return _take_away("domain.trash", domain, volumes, actor, idempotency_key, {"days": settings.TRASH_DAYS})


@transaction.atomic
def _take_away(
    kind: str,
    domain: Domain,
    volumes: Collection[UUID],
    actor: User,
    idempotency_key: str | None,
    more: dict[str, Any],
) -> Operation:
    require(actor, Verb.DOMAIN_DELETE, domain)
    before = operations.earlier(actor, idempotency_key, kind, domain)
    if before is not None:
        return before
    disks = chosen(disks_of(domain), volumes)
    return ask(
        kind,
        domain=domain,
        actor=actor,
        params={"volumes": [str(disk.volume.uuid) for disk in disks]} | more,
        details={"disks": [str(disk.volume) for disk in disks]},
        idempotency_key=idempotency_key,
        takes=[disk.volume for disk in disks],
    )
