"""REST for moving machines."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from ninja import Schema, Status

from accounts.permissions import Verb
from core.http import idempotency_key, signed_in
from domains import destinations
from domains.actions import migrate as moving
from domains.api.common import Accepted, accepted, router
from domains.models import Domain
from domains.moving import MoveOptions
from domains.preflight import Level, look
from hosts.models import Host


class MoveIn(Schema):
    """Where a machine goes, and how. Without `target` to the host that suits it best; limits of 0 are none.

    `pool` is the name of the pool there for disks that are copied, blank for the one of the same name.
    """

    target: UUID | None = None
    pool: str = ""
    copy_disks: bool = False
    delete_source: bool = True
    eject: bool = False
    bandwidth_mib_s: int = 0
    downtime_ms: int = 0
    auto_converge: bool = True
    post_copy_after_s: int = 0

    def options(self) -> MoveOptions:
        """As the action takes them."""
        values = self.dict(exclude={"target", "copy_disks"})
        return MoveOptions(**values, copy=self.copy_disks)


class FindingOut(Schema):
    """One thing that was looked at; only a `blocker` keeps the machine where it is."""

    level: Level
    text: str
    fix: str


class PreflightOut(Schema):
    """What the panel knows of a move to `target`, null where no host can take the machine.

    The hosts themselves are asked once more when it begins.
    """

    target: UUID | None
    possible: bool
    findings: list[FindingOut]


def _movable(request: HttpRequest, uuid: UUID) -> Domain:
    domains = Domain.objects.permitted(signed_in(request), Verb.DOMAIN_MIGRATE).present()
    domain: Domain = get_object_or_404(domains.select_related("host", "team"), uuid=uuid)
    return domain


def _host(request: HttpRequest, uuid: UUID) -> Host:
    hosts = Host.objects.permitted(signed_in(request), Verb.HOST_VIEW).present()
    host: Host = get_object_or_404(hosts, uuid=uuid)
    return host


@router.post(
    "/{uuid:uuid}/migrate", response={202: Accepted}, summary="Move a virtual machine to another host"
)
def migrate(request: HttpRequest, uuid: UUID, body: MoveIn) -> Status[Accepted]:
    """202 with the operation; 409 with all that is in the way."""
    domain = _movable(request, uuid)
    operation = moving.migrate(
        domain=domain,
        target=_host(request, body.target) if body.target else None,
        options=body.options(),
        actor=signed_in(request),
        idempotency_key=idempotency_key(request),
    )
    return Status(202, accepted(operation))


@router.get("/{uuid:uuid}/migrate", response=PreflightOut, summary="What a move would meet")
def preflight(
    request: HttpRequest, uuid: UUID, *, target: UUID | None = None, eject: bool = False
) -> PreflightOut:
    """Nothing is done. Without `target`: of the host that suits it best."""
    domain, options = _movable(request, uuid), MoveOptions(eject=eject)
    best = None if target else destinations.best(domain, options)
    host = _host(request, target) if target else best.host if best else None
    if host is None:
        return PreflightOut(target=None, possible=False, findings=[])
    found = look(domain, host, options)
    findings = [FindingOut(level=f.level, text=f.text, fix=f.fix) for f in found.findings]
    return PreflightOut(target=host.uuid, possible=found.possible, findings=findings)
