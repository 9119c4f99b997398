"""What the panel knows of virtual machines."""

from domains.models.devices import DomainDisk, DomainNic
from domains.models.domain import HELD, ON, Domain, DomainQuerySet, DomainState
from domains.models.duplicate import Duplicate
from domains.models.guest import AgentState, Guest, GuestAddress, GuestSecret
from domains.models.selection import Selection, SelectionQuerySet
from domains.models.snapshot import (
    Snapshot,
    SnapshotFile,
    SnapshotMemory,
    SnapshotQuerySet,
    SnapshotSchedule,
)
from domains.models.trash import Trashed, TrashedDisk
from domains.models.version import DomainDraft, DomainVersion, Origin

__all__ = [
    "AgentState",
    "Domain",
    "DomainDisk",
    "DomainDraft",
    "DomainNic",
    "DomainQuerySet",
    "DomainState",
    "DomainVersion",
    "Duplicate",
    "Guest",
    "GuestAddress",
    "GuestSecret",
    "HELD",
    "ON",
    "Origin",
    "Selection",
    "SelectionQuerySet",
    "Snapshot",
    "SnapshotFile",
    "SnapshotMemory",
    "SnapshotQuerySet",
    "SnapshotSchedule",
    "Trashed",
    "TrashedDisk",
]
