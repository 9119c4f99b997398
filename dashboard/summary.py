"""What the overview shows, in a number of queries that does not grow with the number of machines."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from django.db.models import Case, Count, F, Q, When, Window
from django.db.models.functions import RowNumber
from django.urls import reverse
from django.utils import timezone

from accounts.models import User
from accounts.permissions import Verb
from dashboard.capacity import Capacity, HostCapacity, summed
from domains.models import Domain, DomainState
from hosts.models import Host, HostState
from operations.models import Operation, OperationState
from storage.models import Pool

NEARLY_FULL_PERCENT = 85
FAILED_FOR = timedelta(days=1)
TROUBLE = {HostState.DOWN: "can't be reached", HostState.BLOCKED: "is blocked"}
MOST_HOSTS = 12
MOST_OPERATIONS = 6
MOST_OWN = 10
MOST_ATTENTION = 6
# So many stand before hosts and pools in trouble, which are most often why there are more.
MOST_PARKED_FIRST = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Attention:
    """Something that somebody should look at. `level` is "error" or "warning"."""

    level: str
    title: str
    words: str
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """Everything on the page.

    `hosts` are the first few, those in trouble before the others. `own` are the first few machines of somebody who may
    not see hosts, those that run before the others.
    """

    hosts: list[HostCapacity]
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
    pools = list(
        Pool.objects.permitted(user, Verb.STORAGE_VIEW)
        .filter(gone_at=None, host__gone_at=None)
        .select_related("host")
    )
    states = _machines_by_state(user)
    capacity = summed(hosts, pools)
    return Overview(
        hosts=[*capacity.apart, *capacity.rows][:MOST_HOSTS],
        hosts_total=len(hosts),
        hosts_up=sum(host.up for host in hosts),
        machines=states,
        machines_total=sum(states.values()),
        capacity=capacity,
        attention=_attention(user, hosts, pools)[:MOST_ATTENTION],
        operations=list(
            Operation.objects.permitted(user, Verb.OPERATION_VIEW)
            .active()
            .select_related("actor")[:MOST_OPERATIONS]
        ),
        own=[] if user.can(Verb.HOST_VIEW) else _own(user),
    )


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


def _attention(user: User, hosts: list[Host], pools: list[Pool]) -> list[Attention]:
    found = [
        Attention(
            level="error",
            title=f"{host.name} {TROUBLE[HostState(host.state)]}",
            words=host.error or "It does not answer.",
            url=reverse("hosts:detail", args=[host.uuid]),
        )
        for host in hosts
        if host.state in TROUBLE
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
    broken = _broken(user)
    parked = sum(operation.parked for operation in broken[:MOST_PARKED_FIRST])
    told = [
        Attention(
            level="error" if operation.left_behind or operation.parked else "warning",
            title=f"{'Parked' if operation.parked else 'Failed'}: {operation.title}",
            words=" ".join(part for part in (operation.error, operation.left_behind) if part),
            url=reverse("operations:detail", args=[operation.pk]),
        )
        for operation in broken
    ]
    return [*told[:parked], *found, *told[parked:]]


def _broken(user: User) -> list[Operation]:
    """The last that failed, and before them the last that will not be tried again."""
    ended = Operation.objects.permitted(user, Verb.OPERATION_VIEW).filter(
        Q(state=OperationState.FAILED) | Q(parked=True), finished_at__gte=timezone.now() - FAILED_FOR
    )
    newest = (F("created_at").desc(), F("id").desc())
    nth = Window(RowNumber(), partition_by=F("parked"), order_by=newest)
    first = Case(When(parked=True, nth__lte=MOST_PARKED_FIRST, then=0), default=1)
    return list(ended.annotate(nth=nth).order_by(first, *newest)[:MOST_ATTENTION])
