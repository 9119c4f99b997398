"""REST for emptying hosts, on the router of `hosts.api`."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from ninja import Field, Schema, Status

from accounts.permissions import Verb
from core.http import idempotency_key, signed_in
from domains.actions import drain as draining
from domains.api.common import Accepted, accepted
from domains.draining import Fate
from hosts.api import router
from hosts.models import Host


class DrainIn(Schema):
    """What becomes of the machines that run there: of each by its UUID, and `otherwise` of the others."""

    otherwise: Fate = Fate.MOVE
    machines: dict[UUID, Fate] = Field(default_factory=dict)


def _visible(request: HttpRequest, uuid: UUID) -> Host:
    hosts = Host.objects.permitted(signed_in(request), Verb.HOST_VIEW).present()
    host: Host = get_object_or_404(hosts, uuid=uuid)
    return host


@router.post("/{uuid}/drain", response={202: Accepted}, summary="Empty a host for its maintenance")
def drain(request: HttpRequest, uuid: UUID, body: DrainIn) -> Status[Accepted]:
    """202 with the operation; each machine is a part of it."""
    operation = draining.drain(
        host=_visible(request, uuid),
        fates=body.machines,
        otherwise=body.otherwise,
        actor=signed_in(request),
        idempotency_key=idempotency_key(request),
    )
    return Status(202, accepted(operation))


@router.post("/{uuid}/bring-back", response={202: Accepted}, summary="Bring back what a draining sent away")
def bring_back(request: HttpRequest, uuid: UUID) -> Status[Accepted]:
    """202 with the operation; 409 where there is nothing to bring back."""
    operation = draining.bring_back(
        host=_visible(request, uuid), actor=signed_in(request), idempotency_key=idempotency_key(request)
    )
    return Status(202, accepted(operation))
