"""REST for guests: what they say of themselves, and what their agents are asked for."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from django.http import Http404, HttpRequest
from ninja import Schema, Status
from pydantic import SecretStr

from accounts.permissions import Verb
from core.http import idempotency_key, signed_in
from domains import guests, machine
from domains.actions import guest as action
from domains.api.common import Accepted, accepted, permitted, router
from domains.models import AgentState


class AddressOut(Schema):
    """An address of the card `mac`; `sources` are words for who says so."""

    address: str
    prefix: int
    mac: str
    sources: str


class FilesystemOut(Schema):
    """A file system that is mounted."""

    mountpoint: str
    kind: str
    used_bytes: int
    total_bytes: int


class GuestOut(Schema):
    """What a guest that is on says of itself, at `told_at`: hostile text, not checked by anyone."""

    agent: AgentState
    addresses: list[AddressOut]
    hostname: str = ""
    os: str = ""
    kernel: str = ""
    timezone: str = ""
    users: list[str] = []
    filesystems: list[FilesystemOut] = []
    told_at: datetime | None = None


class FreezeIn(Schema):
    """For how long; then the file systems thaw by themselves."""

    seconds: int = action.USUAL_S


class PasswordIn(Schema):
    """An account of the guest's, and its new password, which is never given back."""

    user: str
    password: SecretStr


@router.get("/{uuid:uuid}/guest", response=GuestOut, summary="What a guest says of itself")
def guest(request: HttpRequest, uuid: UUID) -> dict[str, object]:
    """404 for a machine that you may not see; of one that is off, nothing is known."""
    user = signed_in(request)
    domain = machine.find(user, uuid)
    if domain is None:
        raise Http404
    shown = guests.of(user, domain)
    told = shown["told"]
    names = ("hostname", "os", "kernel", "timezone", "users", "told_at")
    return {name: getattr(told, name) for name in names if told is not None} | {
        "agent": shown["agent"],
        "addresses": shown["addresses"],
        "filesystems": shown["filesystems"],
    }


@router.post("/{uuid:uuid}/guest/freeze", response={202: Accepted}, summary="Freeze file systems")
def freeze(request: HttpRequest, uuid: UUID, body: FreezeIn) -> Status[Accepted]:
    """202 with the operation; cancel it, or ask for `thaw`, to thaw before its time."""
    operation = action.freeze(
        domain=permitted(request, uuid, Verb.DOMAIN_GUEST),
        seconds=body.seconds,
        actor=signed_in(request),
        idempotency_key=idempotency_key(request),
    )
    return Status(202, accepted(operation))


@router.post("/{uuid:uuid}/guest/password", response={202: Accepted}, summary="Set a password in a guest")
def password(request: HttpRequest, uuid: UUID, body: PasswordIn) -> Status[Accepted]:
    """202 with the operation; 422 for a name or password that the guest's system could misread."""
    operation = action.set_password(
        domain=permitted(request, uuid, Verb.DOMAIN_GUEST),
        user=body.user,
        password=body.password.get_secret_value(),
        actor=signed_in(request),
        idempotency_key=idempotency_key(request),
    )
    return Status(202, accepted(operation))


@router.post("/{uuid:uuid}/guest/{verb}", response={202: Accepted}, summary="Ask a guest's agent: ping, …")
def command(request: HttpRequest, uuid: UUID, verb: action.GuestVerb) -> Status[Accepted]:
    """202 with the operation, whose log has the answer; 409 where the machine is off."""
    operation = action.command(
        verb=verb,
        domain=permitted(request, uuid, Verb.DOMAIN_GUEST),
        actor=signed_in(request),
        idempotency_key=idempotency_key(request),
    )
    return Status(202, accepted(operation))
