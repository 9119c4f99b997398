"""Sums over a host's machines, kept with the host so that no page has to count them."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from django.db.models import Count, Q, Sum

from core.events import publish
from domains.models import ON, Domain, DomainState
from hosts.models import Host

# The columns of a machine that the sums are made of.
COUNTED: Final = frozenset({"host_id", "gone_at", "state", "vcpus", "memory_mib"})
_LARGEST: Final = 2**31 - 1
_ON: Final = Q(state__in=ON)


def count(hosts: Collection[int]) -> None:
    """Bring the sums of these hosts, named by their keys, in line with the rows of their machines."""
    if not hosts:
        return
    rows = Domain.objects.filter(host_id__in=hosts, gone_at=None).exclude(state=DomainState.CREATING)
    sums = {
        row["host_id"]: row
        for row in rows.order_by()
        .values("host_id")
        .annotate(
            total=Count("pk"),
            running=Count("pk", filter=_ON),
            vcpus_on=Sum("vcpus", filter=_ON),
            memory_on=Sum("memory_mib", filter=_ON),
        )
    }
    for key in sorted(hosts):
        row = sums.get(key, {})
        columns = {
            "domains_total": row.get("total", 0),
            "domains_running": row.get("running", 0),
            "vcpus_running": min(row.get("vcpus_on") or 0, _LARGEST),
            "memory_running_mib": min(row.get("memory_on") or 0, _LARGEST),
        }
        different = Host.objects.filter(pk=key).exclude(**columns)
        for uuid in different.values_list("uuid", flat=True):
            Host.objects.filter(pk=key).update(**columns)
            publish("host", uuid)
