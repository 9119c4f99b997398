"""REST for work on many machines."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpRequest
from ninja import Field, Schema, Status

from core.http import idempotency_key, one_line, signed_in
from domains import listing
from domains.actions import bulk as action
from domains.api.common import Accepted, accepted, router
from domains.models import DomainState
from domains.power import PowerVerb


class Matching(Schema):
    """As the filters of the list; what is left out filters nothing."""

    q: str = Field("", max_length=listing.MAX_SEARCH)
    state: DomainState | None = None
    host: UUID | None = None
    team: int | None = Field(None, ge=1, lt=2**31)


class BulkIn(Schema):
    """Which machines: those named, or without any all that match, no more than 1,000."""

    machines: list[UUID] = Field(default_factory=list)
    matching: Matching | None = None


@router.post("/bulk/{verb}", response={202: Accepted}, summary="Start, shut down, … many virtual machines")
def bulk(request: HttpRequest, verb: PowerVerb, body: BulkIn) -> Status[Accepted]:
    """202 with the operation: `GET /operations/{operation}` tells what became of each machine.

    A machine that can't be asked is told there under `refused`, and the others go on.
    """
    user = signed_in(request)
    machines = body.machines
    if not machines and body.matching is not None:
        wanted = listing.Wanted(
            search=one_line(body.matching.q, most=listing.MAX_SEARCH),
            state=body.matching.state or "",
            host=body.matching.host,
            team=body.matching.team,
        )
        machines = listing.matching(user, wanted, most=action.MOST + 1)
    operation = action.bulk(
        verb=verb, machines=machines, actor=user, idempotency_key=idempotency_key(request)
    )
    return Status(202, accepted(operation))
