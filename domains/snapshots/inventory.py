"""The only writer of what was observed of snapshots."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.db import transaction

from core.events import publish
from core.reconcile import reconcile
from domains.models import Domain, Snapshot, SnapshotFile, SnapshotMemory
from hosts.models import Host
from hypervisor.facts import DomainState
from hypervisor.snapshots import SnapshotFacts, SnapshotOutline

_MOST_DESCRIPTION = 4096


def unread(host: Host, outlines: Sequence[SnapshotOutline]) -> set[UUID]:
    """The machines of a host that have other snapshots than we know; what hasn't changed need not be read again."""
    told = {one.domain: ({name[:255] for name in one.names}, one.current[:255]) for one in outlines}
    known: dict[UUID, tuple[set[str], str]] = {}
    rows = Snapshot.objects.present().filter(domain__host=host, domain__gone_at=None)
    for uuid, name, current in rows.values_list("domain__uuid", "name", "current"):
        names, before = known.get(uuid, (set(), ""))
        known[uuid] = (names | {name}, name if current else before)
    ours = set(Domain.objects.filter(host=host, gone_at=None).values_list("uuid", flat=True))
    return {uuid for uuid in ours & (told.keys() | known.keys()) if told.get(uuid) != known.get(uuid)}


@transaction.atomic
def record(host: Host, uuid: UUID, facts: Sequence[SnapshotFacts]) -> None:
    """All snapshots of one machine, as its host told them just now; one that is missing is marked as gone."""
    domain = Domain.objects.filter(host=host, uuid=uuid, gone_at=None).first()
    if domain is None:
        return
    seen = {one.name[:255]: one for one in facts}
    changes = reconcile(domain.snapshots.all(), seen, key="name", columns=_columns, fixed={"domain": domain})
    moved = _record_files(domain, seen)
    if changes or moved:
        publish("domain", uuid)


def name_it(domain: UUID, name: str, **owned: Any) -> None:
    """What people said of a snapshot that was just taken."""
    if Snapshot.objects.present().filter(domain__uuid=domain, name=name).update(**owned):
        publish("domain", domain)


def _columns(fact: SnapshotFacts, row: Snapshot | None) -> dict[str, Any]:
    columns: dict[str, Any] = {
        "parent": fact.parent[:255],
        "taken_at": fact.taken_at,
        "running": fact.memory != "no" and fact.state in (DomainState.RUNNING, DomainState.PAUSED),
        "memory": SnapshotMemory(fact.memory),
        "external": fact.external,
        "current": fact.current,
    }
    if row is None:
        columns["description"] = fact.description[:_MOST_DESCRIPTION]
    return columns


def _record_files(domain: Domain, seen: dict[str, SnapshotFacts]) -> bool:
    moved = False
    for row in domain.snapshots.present().prefetch_related("files"):
        files = _files(seen[row.name]) if row.name in seen else set()
        if files != {(file.target, file.path, file.format) for file in row.files.all()}:
            row.files.all().delete()
            SnapshotFile.objects.bulk_create(
                SnapshotFile(snapshot=row, target=target, path=path, format=kind)
                for target, path, kind in sorted(files)
            )
            moved = True
    return moved


def _files(fact: SnapshotFacts) -> set[tuple[str, str, str]]:
    files = {(file.target[:32], file.path[:1024], file.format[:32]) for file in (*fact.files, *fact.inside)}
    if fact.memory_path:
        files.add(("", fact.memory_path[:1024], ""))
    return files
