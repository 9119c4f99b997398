"""REST for clones, names and templates: the pages' actions."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from ninja import Field, Schema, Status

from accounts.models import Team
from accounts.permissions import Verb
from accounts.scoping import require
from core.http import idempotency_key, signed_in
from domains.actions import clone as cloning
from domains.actions import rename as renaming
from domains.actions import template as templating
from domains.api.common import Accepted, accepted, permitted, router
from domains.wishes import Clone
from networks.models import Network
from storage.models import Pool


class CloneIn(Schema):
    """A machine made from another on the same host; `memory_mib` is whole. What is left out is as in the original.

    `linked` lays its disks on those of a template instead of copying them. `pool` and `network` are UUIDs.
    """

    name: str
    linked: bool = False
    vcpus: int | None = None
    memory_mib: int | None = None
    pool: UUID | None = None
    network: UUID | None = None
    description: str = ""
    team: int | None = None
    start: bool = False


class RenameIn(Schema):
    """What the machine is to be called."""

    name: str


class TemplateIn(Schema):
    """What is not in the guest any more, by the keys of the page's check-list, such as "machine-id"."""

    cleared: list[str] = Field(default_factory=list, max_length=32)


@router.post("/{uuid:uuid}/clone", response={202: Accepted}, summary="Make a machine from this one")
def clone(request: HttpRequest, uuid: UUID, body: CloneIn) -> Status[Accepted]:
    """202 with the operation, whose target is the new machine; 409 while the original is on; 422 beside a field."""
    user = signed_in(request)
    source = permitted(request, uuid, Verb.DOMAIN_VIEW)
    require(user, Verb.DOMAIN_CREATE)
    pools = Pool.objects.permitted(user, Verb.STORAGE_VIEW).present().filter(host=source.host)
    networks = Network.objects.permitted(user, Verb.NETWORK_VIEW).present().filter(host=source.host)
    new = Clone(
        source=source,
        name=body.name,
        linked=body.linked,
        vcpus=source.vcpus if body.vcpus is None else body.vcpus,
        memory_mib=source.memory_mib if body.memory_mib is None else body.memory_mib,
        pool=get_object_or_404(pools, uuid=body.pool) if body.pool else None,
        network=get_object_or_404(networks, uuid=body.network) if body.network else None,
        description=body.description,
        team=get_object_or_404(Team, pk=body.team) if body.team is not None else None,
        start=body.start,
    )
    return Status(202, accepted(cloning.clone(new=new, actor=user, idempotency_key=idempotency_key(request))))


@router.post("/{uuid:uuid}/rename", response={202: Accepted}, summary="Rename a virtual machine")
def rename(request: HttpRequest, uuid: UUID, body: RenameIn) -> Status[Accepted]:
    """202 with the operation; 409 while the machine is on; 422 for a name that can't be."""
    operation = renaming.rename(
        domain=permitted(request, uuid, Verb.DOMAIN_EDIT),
        name=body.name,
        actor=signed_in(request),
        idempotency_key=idempotency_key(request),
    )
    return Status(202, accepted(operation))


@router.put("/{uuid:uuid}/template", response={202: Accepted}, summary="Make a machine a template")
def make_template(request: HttpRequest, uuid: UUID, body: TemplateIn) -> Status[Accepted]:
    """202 with the operation; 409 while the machine is on. A template never starts."""
    operation = templating.make_template(
        domain=permitted(request, uuid, Verb.DOMAIN_CREATE),
        cleared=body.cleared,
        actor=signed_in(request),
        idempotency_key=idempotency_key(request),
    )
    return Status(202, accepted(operation))


@router.delete("/{uuid:uuid}/template", response={202: Accepted}, summary="Make a template a machine again")
def make_machine(request: HttpRequest, uuid: UUID) -> Status[Accepted]:
    """202 with the operation; 409 while the disks of others are based on it."""
    operation = templating.make_machine(
        domain=permitted(request, uuid, Verb.DOMAIN_CREATE),
        actor=signed_in(request),
        idempotency_key=idempotency_key(request),
    )
    return Status(202, accepted(operation))
