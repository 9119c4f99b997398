"""Reads what placement has to know of the hosts: as many queries for a hundred hosts as for one."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from django.db.models import Q

from domains import coming
from domains.models import Domain
from domains.placement import Candidate, Need, Space
from hosts import capacity
from hosts.models import Host, HostState
from networks.models import Network
from storage import space
from storage.models import Pool, Volume, VolumeKind

TROUBLE = {
    HostState.NEW: "was not seen yet",
    HostState.DOWN: "can't be reached",
    HostState.BLOCKED: "is blocked until somebody looks at it",
}


def candidates(
    need: Need, *, iso: Volume | None = None, only: Host | None = None, hold: bool = False
) -> list[Candidate]:
    """All hosts, or `only` one, as they are for `need`; `iso` is the image that it names.

    With `hold`, inside a transaction, nobody else promises the same memory before it ends.
    """
    rows = Host.objects.present()
    if only is not None:
        rows = rows.filter(pk=only.pk)
    if hold:
        # Not for update of the key: rows that refer to a host may be written meanwhile. Ordered: no deadlock.
        rows = rows.order_by("pk").select_for_update(no_key=True)
    hosts = list(rows)
    making, moving = coming.being_made(), coming.memory_mib()
    pools = _pools()
    networks = _networks(need)
    names = _hosts_with(Domain.objects.present().filter(name=need.name)) if need.name else set()
    isos = set(twins(iso).values_list("pool__host", flat=True)) if iso is not None else set()
    found = []
    for host in hosts:
        vcpus, memory_mib = making[host.pk]
        found.append(
            Candidate(
                key=host.pk,
                name=host.name,
                trouble=_trouble(host),
                kvm=host.kvm,
                uefi=host.uefi,
                cpus=host.cpus,
                cpu=capacity.cpu(host, coming=vcpus),
                cpu_percent=host.cpu_percent,
                memory=capacity.memory_mib(host, coming=memory_mib + moving[str(host.uuid)]),
                labels=frozenset(host.labels),
                pools=tuple(pools[host.pk]),
                networks=frozenset(networks[host.pk]),
                has_name=host.pk in names,
                has_iso=iso is None or host.pk in isos,
            )
        )
    return found


def twins(iso: Volume) -> Any:
    """The same image on every host that has it, `iso` itself among them: known by its bytes, where they were read."""
    same = Q(pk=iso.pk)
    if iso.sha256:
        same |= Q(sha256=iso.sha256)
    return Volume.objects.present().filter(same, kind=VolumeKind.ISO, pool__state="running")


def _trouble(host: Host) -> str:
    return TROUBLE.get(HostState(host.state), "") or ("is in maintenance" if host.maintenance else "")


def _pools() -> dict[int, list[Space]]:
    found: dict[int, list[Space]] = defaultdict(list)
    pools = list(Pool.objects.filter(gone_at=None, state="running").order_by())
    free = space.free_bytes_of(pools)
    for pool in pools:
        found[pool.host_id].append(
            Space(key=pool.pk, name=pool.name, free_bytes=free[pool.pk], capacity_bytes=pool.capacity_bytes)
        )
    return found


def _networks(need: Need) -> dict[int, list[str]]:
    found: dict[int, list[str]] = defaultdict(list)
    if need.network:
        there = Network.objects.filter(gone_at=None, active=True, name=need.network).order_by()
        for host, name in there.values_list("host_id", "name"):
            found[host].append(name)
    return found


def _hosts_with(domains: Any) -> set[int]:
    return set(domains.order_by().values_list("host_id", flat=True))
