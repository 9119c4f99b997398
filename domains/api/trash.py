"""REST for the trash, and for protection from being deleted."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from ninja import Field, Schema, Status
from ninja.pagination import paginate

from accounts.permissions import Verb
from core.http import idempotency_key, one_line, signed_in
from core.paging import Paging
from domains import trash as content
from domains.actions import trash as action
from domains.actions.protect import protect as set_protection
from domains.api.common import Accepted, accepted, permitted, router
from domains.models import Trashed, TrashedQuerySet


class TrashedOut(Schema):
    """A machine in the trash. `back` says that a host has it again, because it was defined beside the panel."""

    uuid: UUID = Field(alias="domain.uuid")
    name: str = Field(alias="domain.name")
    host: UUID = Field(alias="host.uuid")
    by: str | None
    since: datetime
    until: datetime
    back: bool
    disks: list[str]

    @staticmethod
    def resolve_by(entry: Trashed) -> str | None:
        """By user name."""
        return entry.by.get_username() if entry.by else None

    @staticmethod
    def resolve_back(entry: Trashed) -> bool:
        """As the inventory has it."""
        return action.is_back(entry)

    @staticmethod
    def resolve_disks(entry: Trashed) -> list[str]:
        """Their paths on the host."""
        return [disk.path for disk in entry.disks.all()]


class RestoreIn(Schema):
    """A blank `name` is the old one; `new_macs` gives cards a fresh address where another machine has theirs by now."""

    name: str = Field("", max_length=255)
    new_macs: bool = False


class PurgeIn(Schema):
    """Which of the machine's disks go with it."""

    volumes: list[UUID] = Field(default_factory=list)


class ProtectionIn(Schema):
    """Whether it is protected from being deleted."""

    on: bool


@router.get("/trash", response=list[TrashedOut], summary="List the trash")
@paginate(Paging)
def trash(request: HttpRequest, q: str = "") -> TrashedQuerySet:
    """The machines in the trash that you may see, newest first; `q` is part of a name."""
    text = one_line(q, most=content.MOST_SEARCH)
    return content.entries(signed_in(request), text=text)


@router.post("/{uuid:uuid}/restore", response={202: Accepted}, summary="Restore from the trash")
def restore(request: HttpRequest, uuid: UUID, body: RestoreIn) -> Status[Accepted]:
    """202 with the operation; 409 where it is back or its host is away, 422 where name or address is taken."""
    operation = action.restore(
        entry=_entry(request, uuid),
        actor=signed_in(request),
        name=body.name,
        new_macs=body.new_macs,
        idempotency_key=idempotency_key(request),
    )
    return Status(202, accepted(operation))


@router.post("/{uuid:uuid}/purge", response={202: Accepted}, summary="Delete from the trash for good")
def purge(request: HttpRequest, uuid: UUID, body: PurgeIn) -> Status[Accepted]:
    """202 with the operation. Disks not named in `volumes` stay, and are free to be used."""
    operation = action.purge(
        entry=_entry(request, uuid),
        volumes=body.volumes,
        actor=signed_in(request),
        idempotency_key=idempotency_key(request),
    )
    return Status(202, accepted(operation))


@router.post("/{uuid:uuid}/drop", response={204: None}, summary="Take an entry out of the trash")
def drop(request: HttpRequest, uuid: UUID) -> Status[None]:
    """204, and nothing is touched; 409 for one that can be restored: only what is back or lost its host is dropped."""
    action.drop(entry=_entry(request, uuid), actor=signed_in(request))
    return Status(204, None)


@router.put("/{uuid:uuid}/protection", response={204: None}, summary="Protect from being deleted")
def protection(request: HttpRequest, uuid: UUID, body: ProtectionIn) -> Status[None]:
    """204; 409 while it is being deleted."""
    domain = permitted(request, uuid, Verb.DOMAIN_EDIT)
    set_protection(domain=domain, protected=body.on, actor=signed_in(request))
    return Status(204, None)


def _entry(request: HttpRequest, uuid: UUID) -> Trashed:
    rows = Trashed.objects.permitted(signed_in(request), Verb.DOMAIN_DELETE).listed()
    entry: Trashed = get_object_or_404(rows.select_related("domain__team", "host"), domain__uuid=uuid)
    return entry
