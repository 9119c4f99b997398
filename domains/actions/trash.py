"""Bringing machines back out of the trash, and emptying it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from uuid import UUID

import structlog
from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Now

import audit
from accounts.models import User
from accounts.permissions import Verb
from accounts.scoping import require
from core.errors import Conflict, InvalidInput, PanelError
from core.events import publish
from domains import names
from domains.actions.delete import Deletable, chosen, deletable
from domains.claims import macs_of_others
from domains.lifecycle import RULES
from domains.models import Domain, Trashed
from operations import actions as operations
from operations.models import Operation
from storage.models import Volume

log = structlog.get_logger(__name__)


def disks_of(entry: Trashed) -> list[Deletable]:
    """Its disks that lie in pools we know."""
    return deletable(entry.domain, entry.host, {disk.path: disk.target for disk in entry.disks.all()})


def is_back(entry: Trashed) -> bool:
    """Whether a host has the machine again, because somebody defined it beside the panel."""
    return entry.domain.gone_at is None


def macs_taken(entry: Trashed) -> list[str]:
    """Its network cards' addresses that other machines have by now."""
    mine = [mac.lower() for mac in entry.domain.nics.values_list("mac", flat=True)]
    return sorted(macs_of_others(entry.domain, mine))


@transaction.atomic
def restore(
    *,
    entry: Trashed,
    actor: User,
    name: str = "",
    new_macs: bool = False,
    idempotency_key: str | None = None,
) -> Operation:
    """Ask for the machine to be defined again, under its old name where none is given.

    With `new_macs` cards whose address another machine has by now get a fresh one. Raises Forbidden, TargetBusy,
    Conflict for one that is back already or whose host is away, InvalidInput for a name or address that is taken.
    """
    domain = entry.domain
    require(actor, Verb.DOMAIN_DELETE, domain)
    before = operations.earlier(actor, idempotency_key, "domain.restore", domain)
    if before is not None:
        return before
    _check_host(entry)
    name = name or domain.name
    _check_name(entry, name)
    taken = macs_taken(entry)
    if taken and not new_macs:
        raise InvalidInput(
            f"Another virtual machine has {', '.join(taken)} by now.",
            field="new_macs",
            fix="Let it have new addresses, or change those of the other one.",
        )
    macs = {mac: names.fresh_mac() for mac in taken}
    audit.record(actor, "domain.restore", target=domain, name=name)
    return _submit("domain.restore", entry, actor, {"name": name, "macs": macs}, idempotency_key, [])


@transaction.atomic
def purge(
    *,
    entry: Trashed,
    volumes: Collection[UUID],
    actor: User | None,
    idempotency_key: str | None = None,
) -> Operation:
    """Ask for the machine to be deleted for good, with `volumes` of its disks; no `actor` is the panel itself.

    Raises Forbidden, TargetBusy, Conflict for one that is back or whose host is away, InvalidInput as `delete`.
    """
    domain = entry.domain
    if actor is not None:
        require(actor, Verb.DOMAIN_DELETE, domain)
        before = operations.earlier(actor, idempotency_key, "domain.purge", domain)
        if before is not None:
            return before
    _check_host(entry)
    disks = chosen(disks_of(entry), volumes)
    audit.record(actor, "domain.purge", target=domain, disks=[str(disk.volume) for disk in disks])
    params = {"name": domain.name, "volumes": [str(disk.volume.uuid) for disk in disks]}
    going = [disk.volume for disk in disks]
    return _submit("domain.purge", entry, actor, params, idempotency_key, going)


@transaction.atomic
def drop(*, entry: Trashed, actor: User | None) -> None:
    """Take the entry out of the trash and touch nothing: the machine is back, or its host left the panel.

    Raises Forbidden, and Conflict for one that can be restored or purged.
    """
    if actor is not None:
        require(actor, Verb.DOMAIN_DELETE, entry.domain)
    if not is_back(entry) and entry.host.gone_at is None:
        raise Conflict("It can still be restored.", fix="Restore it, or delete it for good.")
    audit.record(actor, "domain.drop", target=entry.domain)
    entry.delete()
    publish("trash")


def empty() -> None:
    """Purge what is due, with the disks that were to go with it and that nothing else needs by now."""
    due = Trashed.objects.listed().filter(until__lte=Now()).select_related("domain__team", "host")
    for entry in due.filter(Q(domain__gone_at=None) | Q(host__gone_at__isnull=False)):
        drop(entry=entry, actor=None)
    busy = Operation.objects.active().filter(target_kind="domain").values("target_id")
    for entry in due.exclude(domain__uuid__in=busy):
        if entry.host.up and entry.host.gone_at is None and not is_back(entry):
            doomed = set(entry.disks.filter(doomed=True).values_list("path", flat=True))
            going = [
                disk.volume.uuid
                for disk in disks_of(entry)
                if disk.volume.path in doomed and not disk.kept_because
            ]
            try:
                purge(entry=entry, volumes=going, actor=None)
            except PanelError as error:
                log.warning("the trash keeps it", domain=str(entry.domain.uuid), error=error.message)


def _check_host(entry: Trashed) -> None:
    host = entry.host
    if host.gone_at is not None:
        raise Conflict(
            f"{host.name} was removed from the panel.",
            fix="Take its entry out of the trash, or add the host.",
        )
    if is_back(entry):
        raise Conflict(
            f"{entry.domain.name} is on a host again: somebody defined it beside the panel.",
            fix="Take its entry out of the trash; the machine stays.",
        )
    if not host.up:
        raise Conflict(f"{host.name} can't be reached now.", fix="Try again when it is back.")


def _check_name(entry: Trashed, name: str) -> None:
    if name != entry.domain.name and not names.valid(name):
        raise InvalidInput("This name can't be used.", field="name", fix=names.NAME_RULE)
    others = Domain.objects.present().filter(host=entry.host, name=name)
    if others.exclude(pk=entry.domain.pk).exists():
        raise InvalidInput(
            f"{entry.host.name} has a virtual machine called {name} by now.",
            field="name",
            fix="Choose another name.",
        )


def _submit(
    kind: str,
    entry: Trashed,
    actor: User | None,
    params: Mapping[str, object],
    idempotency_key: str | None,
    takes: Collection[Volume],
) -> Operation:
    domain = entry.domain
    return operations.submit(
        kind,
        title=RULES[kind].title.format(name=domain.name),
        target=domain,
        actor=actor,
        team=domain.team,
        params={"host": str(entry.host.uuid), "domain": str(domain.uuid), **params},
        idempotency_key=idempotency_key,
        takes=takes,
    )
