"""Bring observed rows in line with what a host just said: one way for pools, volumes and networks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar

from django.db import transaction
from django.db.models import Q, QuerySet
from django.db.models.functions import Now

from core.models import Observed

Row = TypeVar("Row", bound=Observed)
Facts = TypeVar("Facts")

_NEVER = datetime.min.replace(tzinfo=UTC)
# What a BigIntegerField holds. A host can claim any number.
LARGEST = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Changes(Generic[Row]):
    """The rows that came, changed and went; a row that only was seen again is in none of them."""

    added: list[Row]
    changed: list[Row]
    gone: list[Row]

    def __bool__(self) -> bool:
        return bool(self.added or self.changed or self.gone)


@transaction.atomic
def reconcile(
    rows: QuerySet[Row],
    seen: Mapping[Any, Facts],
    *,
    key: str,
    columns: Callable[[Facts, Row | None], dict[str, Any]],
    fixed: dict[str, Any],
    spared: Callable[[Row], bool] = lambda row: False,
) -> Changes[Row]:
    """Make `rows`, which hold everything that could be in `seen`, say the same; one row takes as many queries as many.

    `seen` maps the value of column `key` to facts, `columns` turns facts into observed columns (given the row there is,
    if any), `fixed` are further columns of a new row. What is missing gets `gone_at`, what came back loses it. A row
    that is `spared` is left as it is where it would go or come back: somebody else is at work on it.
    """
    known = _known(rows, seen, key)
    added: list[Row] = []
    changed: list[Row] = []
    changed_columns: set[str] = set()
    present: list[int] = []
    for value, facts in seen.items():
        row = known.get(value)
        if row is None:
            added.append(rows.model(**fixed, **{key: value}, **columns(facts, None), seen_at=Now()))
            continue
        if row.gone_at is not None and spared(row):
            continue
        present.append(row.pk)
        different = _apply(row, columns(facts, row))
        if different or row.gone_at is not None:
            changed.append(row)
            changed_columns |= different
    gone = [
        row for value, row in known.items() if value not in seen and row.gone_at is None and not spared(row)
    ]
    manager = rows.model._default_manager
    if changed_columns:
        manager.bulk_update(changed, sorted(changed_columns), batch_size=500)
    # Another writer may have been faster with the same row: then it is there, which is all that is wanted.
    manager.bulk_create(added, batch_size=500, ignore_conflicts=True)
    manager.filter(pk__in=present).update(seen_at=Now(), gone_at=None)
    manager.filter(pk__in=[row.pk for row in gone]).update(gone_at=Now())
    return Changes(added=added, changed=changed, gone=gone)


def _known(rows: QuerySet[Row], seen: Mapping[Any, Facts], key: str) -> dict[Any, Row]:
    """By `key`: the row that is present, else the one that went last."""
    candidates = rows.filter(Q(gone_at=None) | Q(**{f"{key}__in": list(seen)}))
    ordered = sorted(candidates, key=lambda row: (row.gone_at is None, row.gone_at or _NEVER))
    return {getattr(row, key): row for row in ordered}


def _apply(row: Observed, values: dict[str, Any]) -> set[str]:
    """Set the columns; the names of those that were different."""
    different = {name for name, value in values.items() if getattr(row, name) != value}
    for name in different:
        setattr(row, name, values[name])
    return different
