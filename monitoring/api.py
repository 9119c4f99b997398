"""REST: what machines use."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from django.http import HttpRequest
from ninja import Field, Query, Router, Schema

from core.http import one_line, signed_in
from domains.api.read import MAX_SIZE, HostRef
from domains.listing import MAX_PAGE, MAX_SEARCH
from monitoring import listing

router = Router(tags=["virtual machines"])

Sort = Literal[
    "name",
    "-name",
    "host",
    "-host",
    "cpu",
    "-cpu",
    "memory",
    "-memory",
    "reads",
    "-reads",
    "writes",
    "-writes",
    "rx",
    "-rx",
    "tx",
    "-tx",
    "time",
    "-time",
]


class UsageOut(Schema):
    """What a machine used in the five seconds before `sampled_at`; bytes and requests are per second.

    `cpu_percent` is of its own vCPUs, `host_cpu_percent` of its host's CPUs. `memory_mib` is what the guest says it
    uses, or where it says nothing what it takes on its host; `memory_percent` is of the memory it has.
    """

    sampled_at: datetime
    cpu_percent: float
    host_cpu_percent: float
    memory_mib: int
    memory_percent: float
    read_bytes: int
    read_requests: int
    write_bytes: int
    write_requests: int
    rx_bytes: int
    tx_bytes: int
    cpu_time_s: float


class TopRow(Schema):
    """A machine that is on. `usage` is null until it was measured twice; `old` tells that it says nothing of now."""

    uuid: UUID
    name: str
    host: HostRef
    vcpus: int
    memory_mib: int
    usage: UsageOut | None
    old: bool

    @classmethod
    def of(cls, row: listing.Row) -> dict[str, Any]:
        """From a row of the table."""
        domain = row.domain
        return {
            "uuid": domain.uuid,
            "name": domain.name,
            "host": domain.host,
            "vcpus": domain.vcpus,
            "memory_mib": domain.memory_mib,
            "usage": row.usage,
            "old": row.old,
        }


class TopPage(Schema):
    """`total` counts the machines on all pages; a `page` past the end gives the last one."""

    items: list[TopRow]
    total: int
    page: int
    pages: int


class Filters(Schema):
    """`q` looks for each of its words in names, tags, host names, UUIDs and MAC addresses."""

    q: str = Field("", max_length=MAX_SEARCH)
    host: UUID | None = None
    team: int | None = Field(None, ge=1, lt=2**31)
    sort: Sort = "-cpu"
    page: int = Field(1, ge=1, le=MAX_PAGE)
    size: int = Field(listing.PAGE_SIZE, ge=1, le=MAX_SIZE)


@router.get("", response=TopPage, summary="Virtual machines by what they use")
def top(request: HttpRequest, filters: Annotated[Filters, Query()]) -> dict[str, Any]:
    """One page of the machines that are on and that you may see."""
    wanted = listing.Wanted(
        search=one_line(filters.q, most=MAX_SEARCH),
        host=filters.host,
        team=filters.team,
        sort=filters.sort,
        page=filters.page,
        size=filters.size,
    )
    found = listing.find(signed_in(request), wanted)
    return {
        "items": [TopRow.of(row) for row in found.rows],
        "total": found.total,
        "page": found.wanted.page,
        "pages": found.pages,
    }
