"""The only writer of what machines use: rows from two samples of their host."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import fields
from typing import Final, NamedTuple

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from core.events import publish
from domains.models import Domain
from hosts.models import Host
from hypervisor.stats import DomainStats, HostStats
from monitoring.models import Usage
from monitoring.rates import Rates, domain_rates

SAMPLE_S: Final = 5.0
# A browser draws its table anew at each hint; a hundred hosts a second would not make it truer.
TELL_S: Final = 4.0
COLUMNS: Final = tuple(field.name for field in fields(Rates))


class Sample(NamedTuple):
    """Two looks at a host, the later one of just now."""

    host: Host
    before: HostStats
    now: HostStats


def record_usages(samples: Sequence[Sample]) -> None:
    """Write what hosts and their machines used in between; forget those that are not on any more.

    Two statements, whatever their number (SQLite splits more than 2,000 rows), and one more where some went off.
    """
    machines, measured = _machines([one.host for one in samples])
    rows: list[Usage] = []
    on: set[int] = set()
    for sample in samples:
        earlier = {one.uuid: one for one in sample.before.domains}
        for now in sample.now.domains:
            known = machines.get((sample.host.pk, now.uuid))
            if known is None:
                continue  # the inventory hears of it within moments
            key, vcpus = known
            on.add(key)
            if now.uuid in earlier and (row := _row(sample, key, vcpus, earlier[now.uuid], now)):
                rows.append(row)
    _write(rows, measured - on)


def _machines(hosts: list[Host]) -> tuple[dict[tuple[int, str], tuple[int, int]], set[int]]:
    """By host and UUID as text, each machine's key and number of vCPUs; and the keys of those that have a row."""
    there = Domain.objects.filter(Q(gone_at=None) | Q(usage__isnull=False), host__in=hosts).order_by()
    machines: dict[tuple[int, str], tuple[int, int]] = {}
    measured: set[int] = set()
    columns = ("host_id", "uuid", "pk", "vcpus", "gone_at", "usage")
    for host, uuid, key, vcpus, gone_at, row in there.values_list(*columns):
        if gone_at is None:
            machines[host, str(uuid)] = (key, max(vcpus, 1))
        if row is not None:
            measured.add(key)
    return machines, measured


def _row(sample: Sample, key: int, vcpus: int, before: DomainStats, now: DomainStats) -> Usage | None:
    rates = domain_rates(
        before,
        now,
        elapsed_s=sample.now.taken_s - sample.before.taken_s,
        vcpus=vcpus,
        host_cpus=max(sample.host.cpus, 1),
    )
    if rates is None:
        return None
    values = {name: getattr(rates, name) for name in COLUMNS}
    return Usage(domain_id=key, host_id=sample.host.pk, sampled_at=timezone.now(), **values)


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
