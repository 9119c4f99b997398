"""What the overview shows, in a number of queries that does not grow with the number of machines."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db.models import Case, Count, Q, Sum, When
from django.urls import reverse
from django.utils import timezone

from accounts.models import User
from accounts.permissions import Verb
from domains.models import Domain, DomainState
from hosts.models import Host, HostState
from operations.models import Operation, OperationState
from storage.models import Pool

NEARLY_FULL_PERCENT = 85
FAILED_FOR = timedelta(days=1)
MOST_HOSTS = 12
MOST_OPERATIONS = 6
MOST_OWN = 10
MOST_ATTENTION = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class HostRow:
    """A host and what its machines take of it."""

    host: Host
    machines: int
    running: int
    vcpus: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Attention:
    """Something that somebody should look at. `level` is "error" or "warning"."""

    level: str
    title: str
    words: str
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Capacity:
    """Of all hosts that are up, and of their running pools. Memory in MiB, space in bytes."""

    vcpus: int
    cpus: int
    memory_used: int
    memory: int
    space_used: int
    space: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """Everything on the page.

    `hosts` are the first few, those in trouble before the others. `own` are the first few machines of somebody who may
    not see hosts, those that run before the others.
    """

    hosts: list[HostRow]
    hosts_total: int
    hosts_up: int
    machines: dict[str, int]
    machines_total: int
    capacity: Capacity
    attention: list[Attention]
    operations: list[Operation]
    own: list[Domain]

    @property
    def hosts_not_up(self) -> str:
        """ "2 not up"."""
        return f"{self.hosts_total - self.hosts_up} not up"


def overview(user: User) -> Overview:
    """As `user` may see it."""
    hosts = list(Host.objects.permitted(user, Verb.HOST_VIEW).present())
    rows = _rows(hosts)
    pools = list(
        Pool.objects.permitted(user, Verb.STORAGE_VIEW)
        .filter(gone_at=None, host__gone_at=None)
        .select_related("host")
    )
    states = _machines_by_state(user)
    rows.sort(key=lambda row: (row.host.up, row.host.name))
    return Overview(
        hosts=rows[:MOST_HOSTS],
        hosts_total=len(hosts),
        hosts_up=sum(host.up for host in hosts),
        machines=states,
        machines_total=sum(states.values()),
        capacity=_capacity(rows, pools),
        attention=_attention(user, hosts, pools)[:MOST_ATTENTION],
        operations=list(
            Operation.objects.permitted(user, Verb.OPERATION_VIEW)
            .active()
            .select_related("actor")[:MOST_OPERATIONS]
        ),
        own=[] if user.can(Verb.HOST_VIEW) else _own(user),
    )


def _rows(hosts: list[Host]) -> list[HostRow]:
    if not hosts:
        return []
    running = Q(state=DomainState.RUNNING)
    found = (
        Domain.objects.present()
        .values("host_id")
        .order_by()
        .annotate(
            machines=Count("pk"), running=Count("pk", filter=running), vcpus_used=Sum("vcpus", filter=running)
        )
    )
    by_host: dict[int, Any] = {row["host_id"]: row for row in found}
    nothing = {"machines": 0, "running": 0, "vcpus_used": 0}
    return [
        HostRow(host=host, machines=row["machines"], running=row["running"], vcpus=row["vcpus_used"] or 0)
        for host in hosts
        for row in [by_host.get(host.pk, nothing)]
    ]


def _machines_by_state(user: User) -> dict[str, int]:
    """Running, off, and the rest."""
    counts = (
        Domain.objects.permitted(user, Verb.DOMAIN_VIEW)
        .present()
        .values_list("state")
        .order_by()
        .annotate(Count("pk"))
    )
    states = {"running": 0, "off": 0, "other": 0}
    for state, count in counts:
        states[state if state in states else "other"] += count
    return states


def _own(user: User) -> list[Domain]:
    domains = Domain.objects.permitted(user, Verb.DOMAIN_VIEW).present()
    return list(
        domains.order_by(Case(When(state=DomainState.RUNNING, then=0), default=1), "name", "pk")[:MOST_OWN]
    )


def _capacity(rows: list[HostRow], pools: list[Pool]) -> Capacity:
    up = [row for row in rows if row.host.up]
    usable = [pool for pool in pools if pool.usable and pool.host.up]
    return Capacity(
        vcpus=sum(row.vcpus for row in up),
        cpus=sum(row.host.cpus for row in up),
        memory_used=sum(row.host.memory_mib - row.host.memory_free_mib for row in up),
        memory=sum(row.host.memory_mib for row in up),
        space_used=sum(pool.allocation_bytes for pool in usable),
        space=sum(pool.capacity_bytes for pool in usable),
    )


def _attention(user: User, hosts: list[Host], pools: list[Pool]) -> list[Attention]:
    found = [
        Attention(
            level="error",
            title=f"{host.name} can't be reached",
            words=host.error or "It does not answer.",
            url=reverse("hosts:detail", args=[host.uuid]),
        )
        for host in hosts
        if host.state == HostState.DOWN
    ]
    found += [
        Attention(
            level="error" if pool.used_percent >= 95 else "warning",
            title=f"{pool.name} on {pool.host.name} is {pool.used_percent} % full",
            words="Machines on it stop when it is full. Delete what nobody needs, or make it larger.",
            url=reverse("hosts:detail", args=[pool.host.uuid]),
        )
        for pool in pools
        if pool.used_percent >= NEARLY_FULL_PERCENT
    ]
    failed = Operation.objects.permitted(user, Verb.OPERATION_VIEW).filter(
        state=OperationState.FAILED, finished_at__gte=timezone.now() - FAILED_FOR
    )
    found += [
        Attention(
            level="warning",
            title=f"Failed: {operation.title}",
            words=operation.error,
            url=reverse("operations:detail", args=[operation.pk]),
        )
        for operation in failed[:MOST_ATTENTION]
    ]
    return found
