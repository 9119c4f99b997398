"""The list of machines: what a person asked for, and one page of it.

Made for 10,000 machines on 100 hosts: the hosts are read once and joined here, because a join costs the database more
than all the rest of the page (it must look at every machine to count them), and a page is found in an index before
its rows are read.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import reduce
from operator import or_
from typing import ClassVar, Final, Self
from urllib.parse import urlencode
from uuid import UUID

from django.db.models import Count, F, OrderBy, Q

from accounts.models import Team, User
from accounts.permissions import Verb
from core.http import typed
from domains import gauges, guests
from domains.inventory import SHOWN_IN_LISTS
from domains.models import Domain, DomainNic, DomainQuerySet, DomainState, GuestAddress
from hosts.models import Host

PAGE_SIZE: Final = 50
MAX_WORDS: Final = 5
MAX_SEARCH: Final = 100
MAX_PAGE: Final = 100_000
# Each by the columns behind it; the name and then the key settle what these leave open.
SORTS: Final[dict[str, str]] = {
    "name": "name",
    "state": "state",
    "host": "host__name",
    "vcpus": "vcpus",
    "memory": "memory_mib",
    "team": "team__name",
}
# What else than `SHOWN_IN_LISTS` the page and REST say of a machine; the documents of its options would take as long as
# all the rest.
_SHOWN_TOO: Final = ("uuid", "created_at", "seen_at", "team__name", "owner__username")
_MAC = re.compile(r"(?:[0-9a-f]{2}:)+[0-9a-f]{0,2}")
# At least as much of an address as tells it from a number in a name.
_IP_START = re.compile(r"\d{1,3}\.[\d.]*|[0-9a-f]{0,4}:[0-9a-f:.]*")
_UUID_START = re.compile(r"[0-9a-f]{8}[0-9a-f-]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What to list. `sort` is a key of `sorts`, with a `-` before it for the other direction.

    A subclass lists machines in other orders: `sorts` are its columns, and its `sort` is `usual` where none is asked.
    """

    sorts: ClassVar[Mapping[str, str]] = SORTS
    usual: ClassVar[str] = "name"

    search: str = ""
    state: str = ""
    host: UUID | None = None
    team: int | None = None
    sort: str = "name"
    page: int = 1
    size: int = PAGE_SIZE

    @classmethod
    def read(cls, query: Mapping[str, str]) -> Self:
        """From an address; what can't be understood counts as not asked for."""
        sort = query.get("sort", "")
        state = query.get("state", "")
        return cls(
            search=typed(query, "q", most=MAX_SEARCH),
            state=state if state in DomainState.values else "",
            host=_uuid(query.get("host", "")),
            team=_number(query.get("team", "")),
            sort=sort if sort.removeprefix("-") in cls.sorts else cls.usual,
            page=min(_number(query.get("page", "")) or 1, MAX_PAGE),
        )

    @property
    def filtered(self) -> bool:
        """Whether it leaves anything out."""
        return bool(self.search or self.state or self.host or self.team)

    def query(self) -> str:
        """The query string that asks for this, "" for the plain list."""
        parts = {
            "q": self.search,
            "state": self.state,
            "host": str(self.host or ""),
            "team": str(self.team or ""),
            "sort": self.sort if self.sort != self.usual else "",
            "page": str(self.page) if self.page > 1 else "",
        }
        given = {name: value for name, value in parts.items() if value}
        return f"?{urlencode(given)}" if given else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """One page. `total` counts what is wanted on all pages; `states` counts by state, as if none had been wanted."""

    wanted: Wanted
    rows: list[Domain]
    total: int
    states: dict[str, int]
    hosts: list[Host]
    teams: list[Team]

    @property
    def pages(self) -> int:
        """How many there are, at least one."""
        return max(1, -(-self.total // self.wanted.size))


def find(user: User, wanted: Wanted) -> Listing:
    """The page that `user` may see; a page past the end is the last one. Seven queries, whatever the numbers."""
    visible: DomainQuerySet = Domain.objects.permitted(user, Verb.DOMAIN_VIEW).filter(gone_at=None)
    hosts = visible_hosts(user, visible)
    removed = [host.pk for host in hosts.values() if host.gone_at is not None]
    if removed:
        visible = visible.exclude(host__in=removed)
    narrowed = narrowed_to(visible, wanted, hosts)
    states: dict[str, int] = dict(narrowed.order_by().values_list("state").annotate(Count("pk")))
    total = states.get(wanted.state, 0) if wanted.state else sum(states.values())
    wanted = replace(wanted, page=min(wanted.page, max(1, -(-total // wanted.size))))
    if wanted.state:
        narrowed = narrowed.filter(state=wanted.state)
    return Listing(
        wanted=wanted,
        rows=_page(user, narrowed, wanted, hosts) if total else [],
        total=total,
        states=states,
        hosts=[host for host in hosts.values() if host.gone_at is None],
        teams=teams_of(user),
    )


def matching(user: User, wanted: Wanted, *, most: int) -> list[UUID]:
    """The machines on all pages of what is wanted, in its order, but no more than `most`."""
    visible: DomainQuerySet = Domain.objects.permitted(user, Verb.DOMAIN_VIEW).present()
    narrowed = narrowed_to(visible, wanted, visible_hosts(user, visible))
    if wanted.state:
        narrowed = narrowed.filter(state=wanted.state)
    return list(narrowed.order_by(*_order(wanted.sort)).values_list("uuid", flat=True)[:most])


def visible_hosts(user: User, visible: DomainQuerySet) -> dict[int, Host]:
    """By key: all hosts for those who may see hosts, for others those that their machines are on."""
    hosts = Host.objects.only("uuid", "name", "state", "seen_at", "gone_at").order_by("name")
    if not user.can(Verb.HOST_VIEW):
        hosts = hosts.filter(pk__in=visible.order_by().values("host"))
    return {host.pk: host for host in hosts}


def teams_of(user: User) -> list[Team]:
    """Those whose machines the person may see."""
    teams = Team.objects.order_by("name")
    return list(teams if user.can(Verb.DOMAIN_VIEW) else teams.filter(members=user))


def narrowed_to(machines: DomainQuerySet, wanted: Wanted, hosts: Mapping[int, Host]) -> DomainQuerySet:
    """All filters but the one by state, which the counts by state must not know."""
    if wanted.host:
        machines = machines.filter(host__in=[pk for pk, host in hosts.items() if host.uuid == wanted.host])
    if wanted.team:
        machines = machines.filter(team=wanted.team)
    for word in wanted.search.split()[:MAX_WORDS]:
        machines = machines.filter(_matches(word, hosts))
    return machines


def _matches(word: str, hosts: Mapping[int, Host]) -> Q:
    """A word of the search is in the name, the tags, the host's name or a MAC, or begins the UUID or an IP address."""
    low = word.lower()
    places = [Q(name__icontains=word), Q(tags__icontains=word)]
    on = [pk for pk, host in hosts.items() if low in host.name.lower()]
    if on:
        places.append(Q(host__in=on))
    if _UUID_START.fullmatch(low) and len(digits := low.replace("-", "")) <= 32:
        first, last = UUID(digits.ljust(32, "0")), UUID(digits.ljust(32, "f"))
        places.append(Q(uuid__gte=first, uuid__lte=last))
    if _IP_START.fullmatch(low):
        known = GuestAddress.objects.filter(address__startswith=low).order_by()
        places.append(Q(pk__in=known.values("domain")))
    if _MAC.fullmatch(low):
        places.append(Q(pk__in=DomainNic.objects.filter(mac__icontains=low).order_by().values("domain")))
    return reduce(or_, places)


def _page(user: User, machines: DomainQuerySet, wanted: Wanted, hosts: Mapping[int, Host]) -> list[Domain]:
    start = (wanted.page - 1) * wanted.size
    order = _order(wanted.sort)
    keys = list(machines.order_by(*order).values_list("pk", flat=True)[start : start + wanted.size])
    rows = (
        Domain.objects.filter(pk__in=keys).select_related("team", "owner").only(*SHOWN_IN_LISTS, *_SHOWN_TOO)
    )
    by_key = {
        row.pk: row
        for row in rows.with_rights(user, may_console=Verb.DOMAIN_CONSOLE, may_power=Verb.DOMAIN_POWER)
    }
    for row in by_key.values():
        row.host = hosts[row.host_id]
    gauges.attach(by_key.values())
    guests.attach(by_key.values())
    return [by_key[key] for key in keys if key in by_key]


def _order(sort: str) -> list[OrderBy | str]:
    column = SORTS[sort.removeprefix("-")]
    if sort.startswith("-"):
        # All of it turned round, so that an index is read backwards instead of sorting.
        return [F(column).desc(nulls_last=True), "-name", "-pk"]
    return [F(column).asc(nulls_last=True), "name", "pk"]


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def _number(text: str) -> int | None:
    """A whole number from 1 up that fits a database's key."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 and int(text) else None
