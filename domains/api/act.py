"""REST for switching and deleting machines: the pages' actions. `Idempotency-Key` makes a repeat harmless."""

from __future__ import annotations

from uuid import UUID

from django.conf import settings
from django.http import HttpRequest
from ninja import Field, Schema, Status

from accounts.permissions import Verb
from core.http import idempotency_key, signed_in
from domains.actions import delete as deleting
from domains.actions import power as powering
from domains.api.common import Accepted, accepted, permitted, router
from domains.power import RULES, PowerVerb


class DeleteIn(Schema):
    """Which of the machine's disks go with it; `at_once` spares it the trash, and there is no way back."""

    volumes: list[UUID] = Field(default_factory=list)
    at_once: bool = False


@router.post("/{uuid:uuid}/power/{verb}", response={202: Accepted}, summary="Start, shut down, …")
def power(request: HttpRequest, uuid: UUID, verb: PowerVerb) -> Status[Accepted]:
    """202 with the operation; 409 where the verb makes no sense in the machine's state."""
    domain = permitted(request, uuid, RULES[verb].verb)
    operation = powering.power(
        verb=verb, domain=domain, actor=signed_in(request), idempotency_key=idempotency_key(request)
    )
    return Status(202, accepted(operation))


@router.post("/{uuid:uuid}/delete", response={202: Accepted}, summary="Delete a virtual machine")
def delete(request: HttpRequest, uuid: UUID, body: DeleteIn) -> Status[Accepted]:
    """202 with the operation: the machine is forced off and moved to the trash, if this panel keeps one.

    The disks named in `volumes` are deleted with it, at once or when its time in the trash is over; others stay.
    """
    domain = permitted(request, uuid, Verb.DOMAIN_DELETE)
    way = deleting.delete if body.at_once or not settings.TRASH_DAYS else deleting.trash
    operation = way(
        domain=domain,
        volumes=body.volumes,
        actor=signed_in(request),
        idempotency_key=idempotency_key(request),
    )
    return Status(202, accepted(operation))
