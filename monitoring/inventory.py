"""The only writer of what machines use: rows from two samples of their host."""

from __future__ import annotations

import threading
import time
from dataclasses import fields
from datetime import datetime
from typing import Final

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from core.events import publish
from domains.models import Domain
from hosts.models import Host
from hypervisor.stats import HostStats
from monitoring.models import Usage
from monitoring.rates import Rates, domain_rates

SAMPLE_S: Final = 5.0
# A browser draws its table anew at each hint; a hundred hosts a second would not make it truer.
TELL_S: Final = 4.0
COLUMNS: Final = tuple(field.name for field in fields(Rates))


def record_usage(host: Host, before: HostStats, now: HostStats) -> None:
    """Write what `host` and its machines used from `before` to `now`; forget those that are not on any more.

    Two statements, whatever their number (SQLite splits more than 2,000 rows), and one more where some went off.
    """
    machines, measured = _machines(host)
    earlier = {one.uuid: one for one in before.domains}
    elapsed_s, sampled_at = now.taken_s - before.taken_s, timezone.now()
    rows: list[Usage] = []
    on: set[int] = set()
    for one in now.domains:
        if one.uuid not in machines:
            continue  # the inventory hears of it within moments
        key, vcpus = machines[one.uuid]
        on.add(key)
        if one.uuid not in earlier:
            continue
        rates = domain_rates(
            earlier[one.uuid], one, elapsed_s=elapsed_s, vcpus=vcpus, host_cpus=max(host.cpus, 1)
        )
        if rates is not None:
            rows.append(_row(host, key, rates, sampled_at))
    _write(rows, measured - on)


def _machines(host: Host) -> tuple[dict[str, tuple[int, int]], set[int]]:
    """By UUID as text, each machine's key and number of vCPUs; and the keys of those that have a row already."""
    there = Domain.objects.filter(Q(gone_at=None) | Q(usage__isnull=False), host=host).order_by()
    machines: dict[str, tuple[int, int]] = {}
    measured: set[int] = set()
    for uuid, key, vcpus, gone_at, row in there.values_list("uuid", "pk", "vcpus", "gone_at", "usage"):
        if gone_at is None:
            machines[str(uuid)] = (key, max(vcpus, 1))
        if row is not None:
            measured.add(key)
    return machines, measured


def _row(host: Host, key: int, rates: Rates, sampled_at: datetime) -> Usage:
    values = {name: getattr(rates, name) for name in COLUMNS}
    return Usage(domain_id=key, host_id=host.pk, sampled_at=sampled_at, **values)


@transaction.atomic
def _write(rows: list[Usage], ended: set[int]) -> None:
    Usage.objects.bulk_create(
        rows,
        batch_size=2000,
        update_conflicts=True,
        unique_fields=["domain"],
        update_fields=["host", "sampled_at", *COLUMNS],
    )
    if ended:
        Usage.objects.filter(pk__in=ended).delete()
    if rows or ended:
        _tell()


_lock = threading.Lock()
_told_s = -TELL_S


def _tell() -> None:
    """Push the change to pages that show what machines use: for all hosts together every TELL_S seconds."""
    global _told_s
    with _lock:
        now = time.monotonic()
        if now - _told_s < TELL_S:
            return
        _told_s = now
    publish("usage")
