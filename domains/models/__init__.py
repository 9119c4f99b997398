"""What the panel knows of virtual machines."""

from domains.models.devices import DomainDevice, DomainDisk, DomainFile, DomainNic, Presence
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
from domains.models.trash import Trashed, TrashedDisk, TrashedQuerySet
from domains.models.version import DomainDraft, DomainVersion, Origin

__all__ = [
    "AgentState",
    "Domain",
    "DomainDevice",
    "DomainDisk",
    "DomainDraft",
    "DomainFile",
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
    "Presence",
    "Selection",
    "SelectionQuerySet",
    "Snapshot",
    "SnapshotFile",
    "SnapshotMemory",
    "SnapshotQuerySet",
    "SnapshotSchedule",
    "Trashed",
    "TrashedDisk",
    "TrashedQuerySet",
]
