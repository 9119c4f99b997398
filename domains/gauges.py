"""What running machines use, shown beside them: told by the room that measures it, which stands above this one."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from datetime import datetime

from domains.models import Domain


@dataclass(frozen=True, slots=True, kw_only=True)
class Gauge:
    """One machine's use at `sampled_at`; percent of its vCPUs and of its memory. `old` where nothing newer came."""

    cpu_percent: float
    memory_percent: float
    memory_mib: int
    read_bytes: int
    write_bytes: int
    rx_bytes: int
    tx_bytes: int
    cpu_time_s: float
    sampled_at: datetime
    old: bool


Measure = Callable[[Collection[int]], dict[int, Gauge]]

_measures: list[Measure] = []


def register(measure: Measure) -> None:
    """Let `measure` tell, by machines' keys, what those use that run. One query, however many."""
    _measures.append(measure)


def attach(domains: Iterable[Domain]) -> None:
    """Give each machine its `gauge`, or None: one that is off, or not measured yet."""
    rows = {row.pk: row for row in domains}
    known = {key: gauge for measure in _measures for key, gauge in measure(rows.keys()).items()}
    for row in rows.values():
        row.gauge = known.get(row.pk) if row.on else None
