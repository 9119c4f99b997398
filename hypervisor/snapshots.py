"""Snapshots: what is asked for, and what libvirt tells of them. Every string told is hostile text."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from hypervisor.facts import DomainState

INTERNAL, EXTERNAL, NONE = "internal", "external", "no"


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """A qcow2 file that is there, is empty, and is based on the one that disk `target` has now."""

    target: str
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptFile:
    """The file of disk `target` at a moment, in the format in which the domain had it."""

    target: str
    path: str
    format: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotSpec:
    """A snapshot to take. `left_out` names the disks that have no part in it, such as CD-ROM drives.

    With `layers`, one for each other disk, the machine goes on in those files and the old ones keep the moment;
    without, the moment is kept inside the disks' own qcow2 files. `memory_path` is a file for the memory of a running
    domain, only with `layers`; blank there means that its memory is not kept.
    """

    name: str
    description: str
    inside: tuple[str, ...] = ()
    layers: tuple[Layer, ...] = ()
    left_out: tuple[str, ...] = ()
    memory_path: str = ""
    quiesce: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotFacts:
    """One snapshot. `state` and `domain_name` are those of the moment, `memory` is INTERNAL, EXTERNAL or NONE.

    `files` are those that keep the moment, by target, where the domain went on in others; `inside` those that have it
    kept within themselves. `disks` are all that the domain then wrote to alone: going back gives it them again.
    `taken_at` is None where libvirt tells no time.
    """

    name: str
    domain_name: str
    description: str
    parent: str
    taken_at: datetime | None
    state: DomainState
    memory: str
    memory_path: str
    files: tuple[KeptFile, ...]
    inside: tuple[KeptFile, ...]
    disks: tuple[KeptFile, ...]
    current: bool

    @property
    def external(self) -> bool:
        """Whether it needs files beside the disks that the domain has."""
        return bool(self.files) or self.memory == EXTERNAL


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotOutline:
    """Which snapshots a domain has; cheap to ask for, and equal while none came or went."""

    domain: UUID
    names: tuple[str, ...]
    current: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MergeProgress:
    """How far the merging of one file into another is, in bytes; `ready` when only the switch is left."""

    done_bytes: int
    total_bytes: int
    ready: bool
