"""One machine as its page, its live pieces and REST show it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from accounts.models import User
from accounts.permissions import Verb
from audit.models import Entry
from domains import gauges, guests, options
from domains.lifecycle import refusal
from domains.models import Domain, DomainDisk
from domains.power import RULES, PowerVerb
from domains.rule import Rule
from domains.versions import with_drift
from operations.listing import Wanted as Operations
from operations.models import Operation, OperationState
from storage.models import Volume

# What people do all day stands as a button in the header; the rest waits in the menu.
BUTTONS = (PowerVerb.START, PowerVerb.RESUME, PowerVerb.SHUTDOWN)
RECENT = 10
FIRMWARE = {"bios": "BIOS", "uefi": "UEFI", "efi": "UEFI"}
DEVICES = {"cdrom": "CD-ROM", "lun": "LUN"}


@dataclass(frozen=True, slots=True)
class Choice:
    """A power verb beside a machine; `why` says what is in the way, blank where nothing is."""

    verb: PowerVerb
    rule: Rule
    why: str
    question: str


@dataclass(frozen=True, slots=True)
class Disk:
    """A disk or drive with what is known of its volume; `capacity_bytes` is 0 where the volume isn't known."""

    target: str
    kind: str
    label: str
    place: str
    format: str
    readonly: bool
    capacity_bytes: int


def find(user: User, uuid: UUID | str) -> Domain | None:
    """The machine, gone or not, with what stands beside it and the person's rights; None where they may not see it."""
    machines = Domain.objects.permitted(user, Verb.DOMAIN_VIEW).defer("trashed__definition")
    machines = machines.select_related("host", "team", "owner", "guest", "trashed")
    found: Domain | None = (
        with_drift(machines)
        .with_rights(
            user,
            may_power=Verb.DOMAIN_POWER,
            may_console=Verb.DOMAIN_CONSOLE,
            may_edit=Verb.DOMAIN_EDIT,
            may_guest=Verb.DOMAIN_GUEST,
            may_read_definition=Verb.DOMAIN_DEFINITION,
            may_define=Verb.DOMAIN_DEFINE,
            may_delete=Verb.DOMAIN_DELETE,
            may_migrate=Verb.DOMAIN_MIGRATE,
        )
        .filter(uuid=uuid)
        .first()
    )
    return found


def is_gone(domain: Domain) -> bool:
    """Whether it vanished, or its host was removed."""
    return domain.gone_at is not None or domain.host.gone_at is not None


def plain(user: User, domain: Domain) -> dict[str, Any]:
    """What pieces show that need nothing but the machine."""
    return {"user": user, "domain": domain}


def usage(user: User, domain: Domain) -> dict[str, Any]:
    """What `domains/_usage.html` and a row of the list show: the machine with its gauge."""
    gauges.attach([domain])
    guests.attach([domain])
    return plain(user, domain)


def header(user: User, domain: Domain) -> dict[str, Any]:
    """What `domains/_state.html` shows."""
    choices = [
        _choice(domain, verb)
        for verb, rule in RULES.items()
        if rule.verb is Verb.DOMAIN_POWER or getattr(domain, "may_edit", False)
    ]
    return plain(user, domain) | {
        "buttons": [choice for choice in choices if choice.verb in BUTTONS and not choice.why],
        "waiting": len(options.pending(domain)),
        "menu": [choice for choice in choices if not (choice.why and choice.rule.rare)],
    }


def _choice(domain: Domain, verb: PowerVerb) -> Choice:
    rule = RULES[verb]
    return Choice(verb, rule, refusal(verb.kind, domain), f"{rule.title.format(name=domain.name)}?")


def facts(user: User, domain: Domain) -> dict[str, Any]:
    """What `domains/_facts.html` shows."""
    return plain(user, domain) | {"firmware": FIRMWARE.get(domain.firmware, domain.firmware)}


def disks(user: User, domain: Domain) -> dict[str, Any]:
    """What `domains/_disks.html` shows."""
    seen = list(domain.disks.all())
    volumes = Volume.objects.present().filter(
        pool__host=domain.host, path__in=[d.path for d in seen if d.path]
    )
    known = {volume.path: volume for volume in volumes}
    return plain(user, domain) | {"disks": [_disk(disk, known.get(disk.path)) for disk in seen]}


def _disk(disk: DomainDisk, volume: Volume | None) -> Disk:
    return Disk(
        target=disk.target,
        kind=" ".join(word for word in (disk.bus, DEVICES.get(disk.device, disk.device)) if word),
        label=volume.label if volume else "",
        place=disk.path or "/".join(part for part in (disk.pool_name, disk.volume_name) if part),
        format=disk.format,
        readonly=disk.readonly,
        capacity_bytes=volume.capacity_bytes if volume else 0,
    )


def nics(user: User, domain: Domain) -> dict[str, Any]:
    """What `domains/_nics.html` shows."""
    return plain(user, domain) | {"nics": list(domain.nics.all())}


def activity(user: User, domain: Domain) -> dict[str, Any]:
    """What `domains/_activity.html` shows: operations, the newest in full unless it is done, and the audit log."""
    operations = list(Operations(target_kind="domain", target=domain.uuid).of(user)[:RECENT])
    telling = operations[0] if operations and operations[0].state != OperationState.SUCCEEDED else None
    entries = Entry.objects.get_queryset().permitted(user, Verb.AUDIT_VIEW)
    entries = entries.filter(target_kind=domain._meta.label_lower, target_key=str(domain.uuid))
    return plain(user, domain) | {
        "telling": telling,
        "force_off": _way_out(domain, telling),
        "steps": telling.steps.all() if telling else (),
        "operations": operations[1:] if telling else operations,
        "entries": list(entries[:RECENT]),
    }


def _way_out(domain: Domain, telling: Operation | None) -> Choice | None:
    """Forcing it off, where it was asked to shut down and didn't."""
    heedless = (PowerVerb.SHUTDOWN.kind, OperationState.FAILED)
    if telling is None or (telling.kind, telling.state) != heedless:
        return None
    choice = _choice(domain, PowerVerb.FORCE_OFF)
    return choice if not choice.why and getattr(domain, "may_power", False) else None
