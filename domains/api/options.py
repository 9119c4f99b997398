"""REST for a machine's options: the pages' actions. Each call changes one group, in the definition or also at once."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import HttpRequest
from ninja import Schema, Status

from accounts.models import Team, User
from accounts.permissions import Verb
from core.errors import InvalidInput
from core.http import idempotency_key, signed_in
from domains import options
from domains.actions import options as actions
from domains.api.common import Accepted, accepted, permitted, router
from domains.option_wishes import (
    BootWish,
    ClockWish,
    CpuWish,
    FirmwareWish,
    LabelWish,
    MemoryWish,
    TpmWish,
    Wish,
)


class PendingOut(Schema):
    """What is otherwise now than it will be after the next start, in words."""

    what: str
    now: str
    then: str


class OptionsOut(Schema):
    """What can be chosen. `defined` is what the next start brings, `live` what runs now (null while off).

    Send `sha` along with a change: it is refused where the definition is another one by then.
    """

    sha: str
    title: str
    description: str
    tags: list[str]
    defined: dict[str, Any]
    live: dict[str, Any] | None
    pending: list[PendingOut]


class ChangeIn(Schema):
    """`sha` is that of the definition that the change was made for; blank: of the one last seen by the panel."""

    sha: str = ""


class CpuIn(ChangeIn):
    """`cpu` is a mode, a model, or blank for QEMU's default; a topology of zeros is none.

    `now` also changes the number of vCPUs of the running machine; all else waits for its next start.
    """

    vcpus: int
    vcpus_max: int
    cpu: str = ""
    sockets: int = 0
    cores: int = 0
    threads: int = 0
    now: bool = False


class MemoryIn(ChangeIn):
    """In MiB. `now` also asks the running machine's balloon driver; the maximum waits for its next start."""

    memory_mib: int
    memory_max_mib: int
    now: bool = False


class BootIn(ChangeIn):
    """Targets of disks and MAC addresses of network cards, first to last; nothing else is booted from."""

    devices: list[str]


class FirmwareIn(ChangeIn):
    """ "bios", "uefi" or "uefi-secure"."""

    firmware: str


class TpmIn(ChangeIn):
    """Whether it has an emulated TPM 2.0."""

    tpm: bool


class ClockIn(ChangeIn):
    """ "utc", "localtime" or a time zone such as "Europe/Berlin"."""

    clock: str


class LabelIn(ChangeIn):
    """Free words; what is left out is removed."""

    title: str = ""
    description: str = ""
    tags: list[str] = []


class StartFromIn(Schema):
    """The target of a disk, or the MAC address of a network card."""

    device: str


class OwnerIn(Schema):
    """A person's sign-in name and a team's name; null for none."""

    owner: str | None
    team: str | None


@router.get("/{uuid:uuid}/options", response=OptionsOut, summary="A virtual machine's options")
def read_options(request: HttpRequest, uuid: UUID) -> OptionsOut:
    """By its definition and as it runs."""
    domain = permitted(request, uuid, Verb.DOMAIN_VIEW)
    return OptionsOut(
        sha=domain.xml_sha,
        title=domain.title,
        description=domain.description,
        tags=domain.tags,
        defined=options.defined(domain),
        live=options.live(domain),
        pending=[PendingOut(what=one.what, now=one.now, then=one.then) for one in options.pending(domain)],
    )


@router.post("/{uuid:uuid}/options/cpu", response={202: Accepted}, summary="Change the processor")
def change_cpu(request: HttpRequest, uuid: UUID, body: CpuIn) -> Status[Accepted]:
    """202 with the operation; 409 where the definition is another one by now."""
    return _change(request, uuid, body, CpuWish(**body.dict(exclude={"sha"})))


@router.post("/{uuid:uuid}/options/memory", response={202: Accepted}, summary="Change the memory")
def change_memory(request: HttpRequest, uuid: UUID, body: MemoryIn) -> Status[Accepted]:
    """202 with the operation; 409 where the definition is another one by now."""
    return _change(request, uuid, body, MemoryWish(**body.dict(exclude={"sha"})))


@router.post("/{uuid:uuid}/options/boot", response={202: Accepted}, summary="Change the boot order")
def change_boot(request: HttpRequest, uuid: UUID, body: BootIn) -> Status[Accepted]:
    """202 with the operation; 409 where the definition is another one by now."""
    return _change(request, uuid, body, BootWish(devices=tuple(body.devices)))


@router.post("/{uuid:uuid}/options/firmware", response={202: Accepted}, summary="Change the firmware")
def change_firmware(request: HttpRequest, uuid: UUID, body: FirmwareIn) -> Status[Accepted]:
    """202 with the operation. A system that was installed with other firmware may not start any more."""
    return _change(request, uuid, body, FirmwareWish(firmware=body.firmware))


@router.post("/{uuid:uuid}/options/tpm", response={202: Accepted}, summary="Add or take away a TPM")
def change_tpm(request: HttpRequest, uuid: UUID, body: TpmIn) -> Status[Accepted]:
    """202 with the operation. Without its TPM a guest can't open what it locked with keys in it."""
    return _change(request, uuid, body, TpmWish(tpm=body.tpm))


@router.post("/{uuid:uuid}/options/clock", response={202: Accepted}, summary="Change the clock")
def change_clock(request: HttpRequest, uuid: UUID, body: ClockIn) -> Status[Accepted]:
    """202 with the operation; 409 where the definition is another one by now."""
    return _change(request, uuid, body, ClockWish(clock=body.clock))


@router.post(
    "/{uuid:uuid}/options/label", response={202: Accepted}, summary="Change title, description, tags"
)
def change_label(request: HttpRequest, uuid: UUID, body: LabelIn) -> Status[Accepted]:
    """202 with the operation. Words change at once, also where it runs."""
    wish = LabelWish(title=body.title, description=body.description, tags=tuple(body.tags))
    return _change(request, uuid, body, wish)


@router.post("/{uuid:uuid}/start-from", response={202: Accepted}, summary="Start once from another device")
def start_from(request: HttpRequest, uuid: UUID, body: StartFromIn) -> Status[Accepted]:
    """202 with the operation; later starts go by the boot order again. 409 where the machine isn't off."""
    operation = actions.start_from(
        device=body.device,
        domain=permitted(request, uuid, Verb.DOMAIN_POWER),
        actor=signed_in(request),
        idempotency_key=idempotency_key(request),
    )
    return Status(202, accepted(operation))


@router.put("/{uuid:uuid}/owner", response={204: None}, summary="Say whose a virtual machine is")
def assign(request: HttpRequest, uuid: UUID, body: OwnerIn) -> Status[None]:
    """204; 422 for a person or team that there isn't."""
    domain = permitted(request, uuid, Verb.DOMAIN_ASSIGN)
    owner = None if body.owner is None else User.objects.filter(username=body.owner).first()
    team = None if body.team is None else Team.objects.filter(name=body.team).first()
    if body.owner is not None and owner is None:
        raise InvalidInput("There is nobody of this name.", field="owner")
    if body.team is not None and team is None:
        raise InvalidInput("There is no team of this name.", field="team")
    actions.assign(domain=domain, owner=owner, team=team, actor=signed_in(request))
    return Status(204, None)


def _change(request: HttpRequest, uuid: UUID, body: ChangeIn, wish: Wish) -> Status[Accepted]:
    operation = actions.change(
        wish=wish,
        domain=permitted(request, uuid, Verb.DOMAIN_EDIT),
        actor=signed_in(request),
        sha=body.sha,
        idempotency_key=idempotency_key(request),
    )
    return Status(202, accepted(operation))
