"""What hosts have, what their machines were promised of it, and what is free: each by itself, and in all."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from functools import reduce
from operator import add

from accounts.models import User
from accounts.permissions import Verb
from hosts import capacity
from hosts.capacity import NOTHING, Share
from hosts.models import Host
from storage.models import Pool


@dataclass(frozen=True, slots=True, kw_only=True)
class HostCapacity:
    """One host: vCPUs and MiB that may be promised, bytes of its running pools."""

    host: Host
    cpu: Share
    memory: Share
    space: Share


@dataclass(frozen=True, slots=True, kw_only=True)
class Capacity:
    """`rows` are the hosts that are up, which alone the sums are about; `apart` are the others as last seen.

    `cpu_percent` is how busy all their CPUs are, None while no host says. `memory_used_mib` is what is not free on the
    hosts, of `memory_mib`, whatever was promised.
    """

    rows: list[HostCapacity]
    apart: list[HostCapacity]
    cpu: Share
    memory: Share
    space: Share
    cpus: int
    cpu_percent: float | None
    memory_mib: int
    memory_used_mib: int


def find(user: User) -> Capacity:
    """Of all hosts that `user` may see. Two queries."""
    hosts = list(Host.objects.permitted(user, Verb.HOST_VIEW).present())
    pools = Pool.objects.permitted(user, Verb.STORAGE_VIEW).filter(gone_at=None, host__gone_at=None)
    return summed(hosts, pools)


def summed(hosts: Iterable[Host], pools: Iterable[Pool]) -> Capacity:
    """These hosts with these of their pools."""
    by_host: dict[int, list[Pool]] = defaultdict(list)
    for pool in pools:
        by_host[pool.host_id].append(pool)
    rows = [of_host(host, by_host[host.pk]) for host in hosts]
    up = [row for row in rows if row.host.up]
    return Capacity(
        rows=up,
        apart=[row for row in rows if not row.host.up],
        cpu=reduce(add, (row.cpu for row in up), NOTHING),
        memory=reduce(add, (row.memory for row in up), NOTHING),
        space=reduce(add, (row.space for row in up), NOTHING),
        cpus=sum(row.host.cpus for row in up),
        cpu_percent=_busy([row.host for row in up]),
        memory_mib=sum(row.host.memory_mib for row in up),
        memory_used_mib=sum(row.host.memory_used_mib for row in up),
    )


def of_host(host: Host, pools: Iterable[Pool]) -> HostCapacity:
    """One host with its pools. Pools of one size with as much left are folders on one file system: it counts once."""
    sizes = {(pool.capacity_bytes, pool.available_bytes) for pool in pools if pool.usable}
    return HostCapacity(
        host=host,
        cpu=capacity.cpu(host),
        memory=capacity.memory_mib(host),
        space=Share(limit=sum(size for size, _ in sizes), used=sum(size - left for size, left in sizes)),
    )


def _busy(hosts: list[Host]) -> float | None:
    """Weighted by their CPUs."""
    known = [(host.cpus, host.cpu_percent) for host in hosts if host.cpu_percent is not None and host.cpus]
    total = sum(cpus for cpus, _ in known)
    return sum(cpus * percent for cpus, percent in known) / total if total else None
