"""The trash as its page and REST show it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from accounts.models import User
from accounts.permissions import Verb
from domains.models import Trashed, TrashedQuerySet
from operations.models import Operation
from storage.models import Volume

MOST_SEARCH = 100


@dataclass(frozen=True, slots=True)
class ShownEntry:
    """An entry with the size of its disks as guests see them, and what is being done with it, blank for nothing."""

    entry: Trashed
    size_bytes: int
    doing: str

    @property
    def back(self) -> bool:
        """Whether a host has the machine again."""
        return self.entry.domain.gone_at is None

    @property
    def stranded(self) -> bool:
        """Whether its host is not managed here any more."""
        return self.entry.host.gone_at is not None


def entries(user: User, *, text: str = "") -> TrashedQuerySet:
    """Those that `user` may see, newest first, with `may_delete`; `text` is part of a name."""
    rows: TrashedQuerySet = Trashed.objects.permitted(user, Verb.DOMAIN_VIEW).listed()
    if text:
        rows = rows.filter(domain__name__icontains=text)
    rows = rows.select_related("domain__team", "host", "by").prefetch_related("disks")
    found: TrashedQuerySet = rows.with_rights(user, may_delete=Verb.DOMAIN_DELETE)
    return found


def shown(rows: Iterable[Trashed]) -> list[ShownEntry]:
    """Each with its size. Two queries, however many."""
    listed = list(rows)
    paths = {disk.path for entry in listed for disk in entry.disks.all()}
    volumes = Volume.objects.filter(path__in=paths, gone_at=None).order_by()
    sizes = {
        (host, path): size for host, path, size in volumes.values_list("pool__host", "path", "capacity_bytes")
    }
    active = Operation.objects.active().filter(target_id__in=[entry.domain.uuid for entry in listed])
    doing = dict(active.values_list("target_id", "title"))
    return [
        ShownEntry(
            entry,
            sum(sizes.get((entry.host_id, disk.path), 0) for disk in entry.disks.all()),
            doing.get(entry.domain.uuid, ""),
        )
        for entry in listed
    ]
