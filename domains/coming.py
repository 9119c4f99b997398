"""Machines on their way to a host, or being made there: what they will take is promised already."""

from __future__ import annotations

from collections import Counter, defaultdict
from uuid import UUID

from django.db.models import Q, Sum

from domains.models import ON, Domain, DomainState
from hosts.models import Host
from operations.models import Operation, OperationQuerySet


def memory_mib(*, without: UUID | None = None) -> Counter[str]:
    """By the UUID of the host as text, the memory of running machines that move there; `without` is left out."""
    moves = Operation.objects.active().filter(kind="domain.migrate").exclude(target_id=without)
    targets = dict(moves.values_list("target_id", "params__target"))
    coming: Counter[str] = Counter()
    if not targets:
        return coming
    running = Domain.objects.filter(uuid__in=targets, state__in=ON)
    for uuid, host, size in running.values_list("uuid", "host__uuid", "memory_mib"):
        if str(host) != targets[uuid]:  # one that has arrived is counted there
            coming[targets[uuid]] += size
    return coming


def being_made() -> dict[int, tuple[int, int]]:
    """By host, vCPUs and MiB of machines that are being made: no sum of running ones has them yet."""
    sums: dict[int, tuple[int, int]] = defaultdict(lambda: (0, 0))
    making = Domain.objects.filter(state=DomainState.CREATING, gone_at=None).order_by()
    for row in making.values("host_id").annotate(vcpus_coming=Sum("vcpus"), memory_coming=Sum("memory_mib")):
        sums[row["host_id"]] = (row["vcpus_coming"], row["memory_coming"])
    return sums


def to(host: Host) -> OperationQuerySet:
    """The active operations that move a machine to `host` or make one there."""
    key = str(host.uuid)
    arriving = Q(kind="domain.migrate", params__target=key) | Q(
        kind__in=("domain.create", "domain.clone"), params__host=key
    )
    found: OperationQuerySet = Operation.objects.active().filter(arriving)
    return found
