"""What the tab "Snapshots" shows, and its live pieces."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from accounts.models import User
from accounts.permissions import Verb
from domains.lifecycle import RULES, refusal
from domains.models import Domain, Snapshot, SnapshotSchedule
from domains.preflight import UEFI
from domains.snapshots.keeping import way
from domains.snapshots.schedule import words
from operations.models import Operation
from storage.models import Volume

# Deeper ones are not drawn further in: on a narrow screen nothing of them would be left.
_DEEPEST = 6
TAKE, REVERT, DELETE = "domain.snapshot.create", "domain.snapshot.revert", "domain.snapshot.delete"


@dataclass(frozen=True, slots=True)
class Row:
    """A snapshot in the tree. `followed` says that others came after it; `size_bytes` is 0 where it isn't known."""

    snapshot: Snapshot
    depth: int
    followed: bool
    size_bytes: int

    @property
    def go_back(self) -> str:
        """The question before going back."""
        return f"Go back to “{self.snapshot}”?"

    @property
    def delete(self) -> str:
        """The question before it is deleted."""
        return f"Delete “{self.snapshot}”?"


@dataclass(frozen=True, slots=True)
class Possible:
    """Whether something may be asked for now, else why not, and the warning before it."""

    why: str
    warning: str


def tree(user: User, domain: Domain) -> dict[str, Any]:
    """What `domains/_snapshots.html` shows."""
    rows = list(domain.snapshots.present().select_related("author").prefetch_related("files"))
    return {
        "user": user,
        "domain": domain,
        "rows": list(_ordered(rows, _sizes(domain, rows))),
        "revert": _reverting(domain),
        "delete": possible(DELETE, domain),
        "at_work": Operation.objects.active()
        .permitted(user, Verb.OPERATION_VIEW)
        .about("domain", domain.uuid)
        .first(),
    }


def taking(user: User, domain: Domain) -> dict[str, Any]:
    """What `domains/_snapshot_ways.html` shows."""
    return {
        "user": user,
        "domain": domain,
        "take": possible(TAKE, domain),
        "with_memory": way(domain, memory=True) if domain.on else None,
        "without_memory": way(domain, memory=False),
    }


def rule(user: User, domain: Domain) -> dict[str, Any]:
    """What `domains/_snapshot_rule.html` shows."""
    schedule = SnapshotSchedule.objects.filter(domain=domain).select_related("actor").first()
    return {
        "user": user,
        "domain": domain,
        "schedule": schedule,
        "schedule_words": words(schedule) if schedule else "",
    }


def possible(kind: str, domain: Domain) -> Possible:
    """Whether the state last seen allows it."""
    return Possible(refusal(kind, domain), RULES[kind].warning)


def _reverting(domain: Domain) -> Possible:
    told = possible(REVERT, domain)
    if domain.firmware not in UEFI:
        return told
    return Possible(
        told.why, f"{told.warning} What its UEFI firmware remembers is not part of its disks, and stays."
    )


def _ordered(rows: list[Snapshot], sizes: dict[int, int]) -> Iterable[Row]:
    names = {row.name for row in rows}
    following: dict[str, list[Snapshot]] = {}
    for row in rows:
        parent = row.parent if row.parent in names and row.parent != row.name else ""
        following.setdefault(parent, []).append(row)
    seen: set[int] = set()
    todo = [(row, 0) for row in reversed(following.get("", []))]
    while todo:
        row, depth = todo.pop()
        if row.pk in seen:
            continue
        seen.add(row.pk)
        after = following.get(row.name, [])
        yield Row(row, min(depth, _DEEPEST), bool(after), sizes.get(row.pk, 0))
        # A single line of snapshots stays a line; only where ways part they go further in.
        todo += [(one, depth + (len(after) > 1)) for one in reversed(after)]


def _sizes(domain: Domain, rows: list[Snapshot]) -> dict[int, int]:
    paths = {file.path: row.pk for row in rows if row.external for file in row.files.all()}
    found: dict[int, int] = {}
    volumes = Volume.objects.filter(pool__host=domain.host, path__in=paths, gone_at=None)
    for path, size_bytes in volumes.values_list("path", "allocation_bytes"):
        found[paths[path]] = found.get(paths[path], 0) + size_bytes
    return found
