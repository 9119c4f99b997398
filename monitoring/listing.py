"""The top table: every machine that is on, by what it uses; and the same numbers for other rooms' pages."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta
from typing import ClassVar, Final

from django.db.models import Case, Count, F, Max, OrderBy, Value, When
from django.utils import timezone

from accounts.models import Team, User
from accounts.permissions import Verb
from domains import listing
from domains.gauges import Gauge
from domains.models import ON, Domain, DomainQuerySet
from hosts.models import Host
from monitoring.inventory import SAMPLE_S
from monitoring.models import Usage

PAGE_SIZE: Final = 100
# Two samples may be lost before people are told that what stands there is old.
STALE: Final = timedelta(seconds=3 * SAMPLE_S)
USAGE: Final = "usage__"
GAUGED: Final = tuple(field.name for field in fields(Gauge) if field.name != "old")
SORTS: Final[dict[str, str]] = {
    "name": "name",
    "host": "host__name",
    "cpu": "usage__cpu_percent",
    "memory": "usage__memory_percent",
    "reads": "usage__read_bytes",
    "writes": "usage__write_bytes",
    "rx": "usage__rx_bytes",
    "tx": "usage__tx_bytes",
    "time": "usage__cpu_time_s",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted(listing.Wanted):
    """Which part of the table; by default who uses most of its CPUs stands first."""

    sorts: ClassVar[Mapping[str, str]] = SORTS
    usual: ClassVar[str] = "-cpu"

    sort: str = "-cpu"
    size: int = PAGE_SIZE


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One machine that is on. `usage` is None until it was seen twice; `old` tells that it says nothing of now."""

    domain: Domain
    usage: Usage | None
    old: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Top:
    """One page. `total` counts the machines on all pages, `newest` is when any of them was last measured."""

    wanted: Wanted
    rows: list[Row]
    total: int
    newest: datetime | None
    hosts: list[Host]
    teams: list[Team]

    @property
    def pages(self) -> int:
        """How many there are, at least one."""
        return max(1, -(-self.total // self.wanted.size))


def find(user: User, wanted: Wanted) -> Top:
    """The page that `user` may see; a page past the end is the last one. The queries do not grow with the numbers."""
    visible: DomainQuerySet = Domain.objects.permitted(user, Verb.DOMAIN_VIEW).filter(gone_at=None)
    visible = visible.filter(state__in=ON)
    hosts = listing.visible_hosts(user, visible)
    present = [host for host in hosts.values() if host.gone_at is None]
    if len(present) < len(hosts):
        visible = visible.filter(host__in=present)
    machines = listing.narrowed_to(visible, wanted, hosts)
    found = machines.order_by().aggregate(total=Count("pk"), newest=Max("usage__sampled_at"))
    total = found["total"]
    wanted = replace(wanted, page=min(wanted.page, max(1, -(-total // wanted.size))))
    return Top(
        wanted=wanted,
        rows=_page(machines, wanted, hosts),
        total=total,
        newest=found["newest"],
        hosts=present,
        teams=listing.teams_of(user),
    )


def gauges_of(domains: Collection[int]) -> dict[int, Gauge]:
    """What these machines use, by their keys."""
    fresh_since = timezone.now() - STALE
    rows = Usage.objects.filter(pk__in=domains).order_by()
    return {
        row.pop("domain_id"): Gauge(**row, old=row["sampled_at"] < fresh_since)
        for row in rows.values("domain_id", *GAUGED)
    }


def _page(machines: DomainQuerySet, wanted: Wanted, hosts: Mapping[int, Host]) -> list[Row]:
    start = (wanted.page - 1) * wanted.size
    up = [key for key, host in hosts.items() if host.up]
    keys = list(
        machines.order_by(*_order(wanted.sort, up)).values_list("pk", flat=True)[start : start + wanted.size]
    )
    rows = {row.pk: row for row in Domain.objects.filter(pk__in=keys).select_related("usage").order_by()}
    for row in rows.values():
        row.host = hosts[row.host_id]
    return [_row(rows[key]) for key in keys if key in rows]


def _row(domain: Domain) -> Row:
    usage: Usage | None = getattr(domain, "usage", None)
    return Row(domain=domain, usage=usage, old=not domain.host.up or (usage is not None and _is_old(usage)))


def _is_old(usage: Usage) -> bool:
    return timezone.now() - usage.sampled_at > STALE


def _order(sort: str, up: Collection[int]) -> list[OrderBy | Case | str]:
    """By a number, what is known of now stands before what is old, whatever it was; then equals by their names."""
    path = SORTS[sort.removeprefix("-")]
    order = F(path).desc(nulls_last=True) if sort.startswith("-") else F(path).asc(nulls_last=True)
    if not path.startswith(USAGE):
        return [order, "name", "pk"]
    fresh = When(host__in=up, usage__sampled_at__gte=timezone.now() - STALE, then=Value(0))
    return [Case(fresh, default=Value(1)), order, "name", "pk"]
