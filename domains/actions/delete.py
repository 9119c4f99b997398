"""Asking for a machine to be deleted, with those of its disks that the person chose."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from uuid import UUID

from django.db import transaction
from django.urls import reverse

from accounts.models import User
from accounts.permissions import Verb
from accounts.scoping import require
from core.errors import InvalidInput
from domains.actions.ask import ask
from domains.models import Domain
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
    """The machine's disks that lie in pools we know; CD-ROM images are not among them."""
    paths = {disk.path: disk.target for disk in domain.disks.all() if disk.device == "disk" and disk.path}
    volumes = Volume.objects.present().filter(pool__host=domain.host, path__in=paths).select_related("pool")
    return [
        Deletable(volume, paths[volume.path], _kept(volume, domain)) for volume in volumes.order_by("path")
    ]


def _kept(volume: Volume, domain: Domain) -> str:
    here = reverse("domains:detail", args=[domain.uuid])
    others = [use for use in users_of(domain.host, [volume.path]).get(volume.path, []) if use.url != here]
    if others:
        return f"{others[0].name} uses it, too."
    return kept_because(volume)


@transaction.atomic
def delete(
    *, domain: Domain, volumes: Collection[UUID], actor: User, idempotency_key: str | None = None
) -> Operation:
    """Ask for the machine to be stopped, undefined and forgotten, and for `volumes` of its disks to be deleted.

    Raises Forbidden, TargetBusy, InvalidInput for a volume that isn't a disk of this machine or that others need.
    """
    require(actor, Verb.DOMAIN_DELETE, domain)
    before = operations.earlier(actor, idempotency_key, "domain.delete", domain)
    if before is not None:
        return before
    possible = {disk.volume.uuid: disk for disk in disks_of(domain)}
    for chosen in volumes:
        disk = possible.get(chosen)
        if disk is None:
            raise InvalidInput("This is not a disk of this virtual machine.", field="volumes")
        if disk.kept_because:
            raise InvalidInput(f"{disk.volume} can't be deleted: {disk.kept_because}", field="volumes")
    return ask(
        "domain.delete",
        domain=domain,
        actor=actor,
        params={"volumes": [str(chosen) for chosen in volumes]},
        details={"disks": [str(possible[chosen].volume) for chosen in volumes]},
        idempotency_key=idempotency_key,
    )
