"""Machines on their way to a host: what they will take there is promised already."""

from __future__ import annotations

from collections import Counter
from uuid import UUID

from domains.models import ON, Domain
from operations.models import Operation


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
