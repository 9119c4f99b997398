"""REST for switching and deleting machines: the pages' actions. `Idempotency-Key` makes a repeat harmless."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpRequest
from ninja import Field, Schema, Status

from accounts.permissions import Verb
from core.http import idempotency_key, signed_in
from domains.actions import delete as deleting
from domains.actions import power as powering
from domains.api.common import Accepted, accepted, permitted, router
from domains.power import PowerVerb


class DeleteIn(Schema):
    """Which of the machine's disks go with it."""

    volumes: list[UUID] = Field(default_factory=list)


@router.post("/{uuid:uuid}/power/{verb}", response={202: Accepted}, summary="Start, shut down, …")
def power(request: HttpRequest, uuid: UUID, verb: PowerVerb) -> Status[Accepted]:
    """202 with the operation; 409 where the verb makes no sense in the machine's state."""
    domain = permitted(request, uuid, Verb.DOMAIN_POWER)
    operation = powering.power(
        verb=verb, domain=domain, actor=signed_in(request), idempotency_key=idempotency_key(request)
    )
    return Status(202, accepted(operation))


@router.post("/{uuid:uuid}/delete", response={202: Accepted}, summary="Delete a virtual machine")
def delete(request: HttpRequest, uuid: UUID, body: DeleteIn) -> Status[Accepted]:
    """202 with the operation; the machine is forced off first. Disks not named in `volumes` stay."""
    domain = permitted(request, uuid, Verb.DOMAIN_DELETE)
    operation = deleting.delete(
        domain=domain,
        volumes=body.volumes,
        actor=signed_in(request),
        idempotency_key=idempotency_key(request),
    )
    return Status(202, accepted(operation))
