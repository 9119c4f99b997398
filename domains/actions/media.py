"""Asking for media to be changed, and for drives."""

from __future__ import annotations

from django.db import transaction

from accounts.models import User
from accounts.permissions import Verb
from accounts.scoping import require
from core.errors import Conflict, InvalidInput
from domains import disk_choices, targets
from domains.actions.ask import ask
from domains.disk_choices import DRIVES
from domains.models import Domain, DomainDisk
from hypervisor.specs import DiskBus
from operations import actions as operations
from operations.models import Operation
from storage.models import Volume


@transaction.atomic
def change(
    *,
    domain: Domain,
    target: str,
    image: Volume | None,
    actor: User,
    force: bool = False,
    idempotency_key: str | None = None,
) -> Operation:
    """Ask for `image` to be put into a drive, now and for the next start; None empties it.

    `force` opens a tray that the guest has locked. Raises Forbidden, TargetBusy, Conflict where there is no such drive,
    and InvalidInput for an image that does not fit into it or is not theirs to choose.
    """
    require(actor, Verb.DOMAIN_EDIT, domain)
    before = operations.earlier(actor, idempotency_key, "domain.media.change", domain)
    if before is not None:
        return before
    drive = drive_of(domain, target)
    if image is not None:
        fitting = disk_choices.images(actor, domain, drive.device).filter(pk=image.pk)
        if not fitting.exists():
            raise InvalidInput("This image can't be put into this drive.", field="image")
    words = f"Put {image} into {domain.name}" if image else f"Eject the medium in {target} of {domain.name}"
    return ask(
        "domain.media.change",
        domain=domain,
        actor=actor,
        params={"target": target, "path": image.path if image else None, "force": force},
        details={"drive": target, "image": str(image) if image else "", "force": force},
        title=words,
        idempotency_key=idempotency_key,
        holds=[image] if image else [],
    )


@transaction.atomic
def add_drive(*, domain: Domain, actor: User, idempotency_key: str | None = None) -> Operation:
    """Ask for an empty CD drive. Raises Forbidden, TargetBusy, and Conflict unless the machine is off."""
    require(actor, Verb.DOMAIN_EDIT, domain)
    target = targets.free(domain, DiskBus.SATA)
    return ask(
        "domain.drive.add",
        domain=domain,
        actor=actor,
        params={"target": target},
        details={"drive": target},
        idempotency_key=idempotency_key,
    )


@transaction.atomic
def detach_drive(
    *, domain: Domain, target: str, actor: User, idempotency_key: str | None = None
) -> Operation:
    """Ask for a drive to be taken out. Raises Forbidden, TargetBusy, and Conflict unless the machine is off."""
    require(actor, Verb.DOMAIN_EDIT, domain)
    before = operations.earlier(actor, idempotency_key, "domain.drive.detach", domain)
    if before is not None:
        return before
    drive_of(domain, target)
    return ask(
        "domain.drive.detach",
        domain=domain,
        actor=actor,
        params={"target": target},
        details={"drive": target},
        title=f"Take drive {target} out of {domain.name}",
        idempotency_key=idempotency_key,
    )


def drive_of(domain: Domain, target: str) -> DomainDisk:
    """The drive of that target. Raises Conflict where there is none."""
    drive: DomainDisk | None = domain.disks.filter(target=target, device__in=DRIVES).first()
    if drive is None:
        raise Conflict(f"{domain.name} has no drive {target[:32]} (any more).")
    return drive
