"""REST: what hosts have, and what is free of it."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpRequest
from ninja import Router, Schema

from accounts.permissions import Verb
from accounts.scoping import require
from core.http import signed_in
from dashboard import capacity

router = Router(tags=["hosts"])


class ShareOut(Schema):
    """How much may be promised, how much is, and what is left. A host with overcommit promises more than it has."""

    limit: int
    used: int
    free: int


class HostCapacityOut(Schema):
    """One host as last seen: `cpu` in vCPUs, `memory` in MiB, `space` of its running pools in bytes."""

    uuid: UUID
    name: str
    state: str
    cpu_percent: float | None
    domains_running: int
    cpu: ShareOut
    memory: ShareOut
    space: ShareOut

    @staticmethod
    def resolve_uuid(row: capacity.HostCapacity) -> UUID:
        """Of the host."""
        return row.host.uuid

    @staticmethod
    def resolve_name(row: capacity.HostCapacity) -> str:
        """Of the host."""
        return row.host.name

    @staticmethod
    def resolve_state(row: capacity.HostCapacity) -> str:
        """Of the host."""
        return row.host.state

    @staticmethod
    def resolve_cpu_percent(row: capacity.HostCapacity) -> float | None:
        """How busy its CPUs are."""
        return row.host.cpu_percent

    @staticmethod
    def resolve_domains_running(row: capacity.HostCapacity) -> int:
        """Machines that are on."""
        return row.host.domains_running


class CapacityOut(Schema):
    """The sums are about `rows`, the hosts that are up; `apart` are those that can't be reached, as last seen."""

    cpu: ShareOut
    memory: ShareOut
    space: ShareOut
    cpus: int
    cpu_percent: float | None
    memory_mib: int
    memory_used_mib: int
    rows: list[HostCapacityOut]
    apart: list[HostCapacityOut]


@router.get("", response=CapacityOut, summary="What is used and free")
def get_capacity(request: HttpRequest) -> capacity.Capacity:
    """Of all hosts, and of each."""
    user = signed_in(request)
    require(user, Verb.HOST_VIEW)
    return capacity.find(user)
