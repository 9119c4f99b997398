"""The files of a machine's snapshots, beside those that its disks are now."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from django.db.models import QuerySet

from domains.models import Domain, SnapshotFile


def files_of(domain: Domain) -> dict[str, str]:
    """By path, what each is: disk "vda" or "memory" of a snapshot, as last seen."""
    files = SnapshotFile.objects.filter(snapshot__domain=domain, snapshot__gone_at=None)
    return {
        path: f"{target}, kept by a snapshot" if target else "memory, kept by a snapshot"
        for path, target in files.values_list("path", "target")
    }


def keeping_from(domain: Domain) -> QuerySet[SnapshotFile]:
    """Files that `domain` must not write to: those of others' snapshots, and of its own what is kept beside."""
    files = SnapshotFile.objects.filter(snapshot__gone_at=None, snapshot__domain__host=domain.host_id)
    return files.exclude(snapshot__domain=domain, snapshot__external=False)


def upper_first(paths: Iterable[str], backing: Mapping[str, str]) -> list[str]:
    """`paths` so that none comes before those that are based on it (`backing` says what each is based on)."""

    def depth(path: str) -> int:
        seen: set[str] = set()
        while path and path not in seen:
            seen.add(path)
            path = backing.get(path, "")
        return len(seen)

    return sorted(paths, key=lambda path: (-depth(path), path))
