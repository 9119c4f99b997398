"""REST for reading machines."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from django.http import Http404, HttpRequest
from ninja import Field, Query, Schema

from core.http import one_line, signed_in
from domains import guests, listing, machine
from domains.api.common import router
from domains.models import Domain, DomainDisk, DomainNic, DomainState

MAX_SIZE = 500

Sort = Literal[
    "name",
    "-name",
    "state",
    "-state",
    "host",
    "-host",
    "vcpus",
    "-vcpus",
    "memory",
    "-memory",
    "team",
    "-team",
]


class HostRef(Schema):
    """The host that a machine was last seen on. While it isn't `up`, all that is said of its machines is old."""

    uuid: UUID
    name: str
    up: bool


class DomainOut(Schema):
    """A virtual machine as it was last seen, at `seen_at`. Memory in MiB (1,048,576 bytes)."""

    uuid: UUID
    name: str
    state: DomainState
    host: HostRef
    owner: str | None
    team: str | None
    tags: list[str]
    vcpus: int
    memory_mib: int
    autostart: bool
    accelerated: bool
    addresses: list[str] = Field(alias="ips")
    created_at: datetime
    seen_at: datetime | None

    @staticmethod
    def resolve_owner(domain: Domain) -> str | None:
        """By user name."""
        return domain.owner.get_username() if domain.owner else None

    @staticmethod
    def resolve_team(domain: Domain) -> str | None:
        """By name."""
        return domain.team.name if domain.team else None


class DomainPage(Schema):
    """`total` counts the machines on all pages; a `page` past the end gives the last one."""

    items: list[DomainOut]
    total: int
    page: int
    pages: int


class DiskOut(Schema):
    """A disk or drive; `path` is on the host, blank for an empty drive. Limits per second, 0 for none.

    `present` is "both" for one of this run and the next, `pending` what else the next start changes of it.
    """

    target: str
    bus: str
    device: str
    path: str
    pool_name: str
    volume_name: str
    format: str
    readonly: bool
    shareable: bool
    serial: str
    cache: str
    discard: str
    read_bytes_s: int
    write_bytes_s: int
    read_iops: int
    write_iops: int
    present: str
    pending: list[tuple[str, str]]


class NicOut(Schema):
    """A network card; `source` is a network's name, or a bridge's where `kind` says so."""

    mac: str
    kind: str
    source: str
    model: str


class DomainDetail(DomainOut):
    """All of a machine. `gone_at` is set on one that vanished from its host."""

    title: str
    description: str
    state_reason: str
    persistent: bool
    managed_save: bool
    vcpus_max: int
    memory_max_mib: int
    machine: str
    firmware: str
    has_screen: bool
    gone_at: datetime | None
    disks: list[DiskOut]
    nics: list[NicOut]

    @staticmethod
    def resolve_disks(domain: Domain) -> list[DomainDisk]:
        """In the order of their targets."""
        return list(domain.disks.all())

    @staticmethod
    def resolve_nics(domain: Domain) -> list[DomainNic]:
        """In the order the guest sees them."""
        return list(domain.nics.all())


class Filters(Schema):
    """`q` looks for each of its words in names, tags, host names, UUIDs, IP and MAC addresses."""

    q: str = Field("", max_length=listing.MAX_SEARCH)
    state: DomainState | None = None
    host: UUID | None = None
    team: int | None = Field(None, ge=1, lt=2**31)
    sort: Sort = "name"
    page: int = Field(1, ge=1, le=listing.MAX_PAGE)
    size: int = Field(listing.PAGE_SIZE, ge=1, le=MAX_SIZE)


@router.get("", response=DomainPage, summary="List virtual machines")
def domains(request: HttpRequest, filters: Annotated[Filters, Query()]) -> dict[str, Any]:
    """One page of the machines that you may see."""
    wanted = listing.Wanted(
        search=one_line(filters.q, most=listing.MAX_SEARCH),
        state=filters.state or "",
        host=filters.host,
        team=filters.team,
        sort=filters.sort,
        page=filters.page,
        size=filters.size,
    )
    found = listing.find(signed_in(request), wanted)
    return {
        "items": found.rows,
        "total": found.total,
        "page": found.wanted.page,
        "pages": found.pages,
    }


@router.get("/{uuid:uuid}", response=DomainDetail, summary="One virtual machine")
def domain(request: HttpRequest, uuid: UUID) -> Domain:
    """404 for a machine that there never was, or that you may not see."""
    found = machine.find(signed_in(request), uuid)
    if found is None:
        raise Http404
    guests.attach([found])
    return found
