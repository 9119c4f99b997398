"""libvirt's event loop and what it tells us.

One daemon thread per process runs `virEventRunDefaultImpl`; it is started before the first connection is opened and
never stops. It also answers keepalives, so while it does not turn, a call to a dead host never returns: whoever runs
the process watches `loop_alive()` and ends the process when it says no.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID


class DomainEventKind(StrEnum):
    """What happened to a domain. Each is a hint to read it again, not a fact to store."""

    DEFINED = "defined"
    UNDEFINED = "undefined"
    STARTED = "started"
    SUSPENDED = "suspended"
    RESUMED = "resumed"
    STOPPED = "stopped"
    SHUTDOWN = "shutdown"
    PMSUSPENDED = "pmsuspended"
    CRASHED = "crashed"
    REBOOTED = "rebooted"
    GRAPHICS = "graphics"
    DEVICE_ADDED = "device-added"
    DEVICE_REMOVED = "device-removed"
    TRAY_CHANGED = "tray-changed"
    METADATA_CHANGED = "metadata-changed"
    BALLOON_CHANGED = "balloon-changed"
    BLOCK_JOB = "block-job"
    IO_ERROR = "io-error"
    WATCHDOG = "watchdog"
    AGENT = "agent"


@dataclass(frozen=True, slots=True, kw_only=True)
class DomainEvent:
    """Something happened to a domain; `detail` is a word for logs (libvirt's reason, or the device's alias)."""

    uuid: UUID
    name: str
    kind: DomainEventKind
    detail: str


class ObjectEventKind(StrEnum):
    """What happened to a network or a pool."""

    DEFINED = "defined"
    UNDEFINED = "undefined"
    STARTED = "started"
    STOPPED = "stopped"
    CREATED = "created"
    DELETED = "deleted"
    REFRESHED = "refreshed"
    OTHER = "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkEvent:
    """Something happened to a virtual network."""

    uuid: UUID
    name: str
    kind: ObjectEventKind


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolEvent:
    """Something happened to a storage pool (libvirt tells nothing about single volumes)."""

    uuid: UUID
    name: str
    kind: ObjectEventKind


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionClosed:
    """The connection is gone and will not come back: close it and open another. `reason` is a word for logs."""

    reason: str


Event = DomainEvent | NetworkEvent | PoolEvent | ConnectionClosed
Listener = Callable[[Event], None]


def ensure_loop() -> None:
    """Start the event loop's thread in this process unless it runs already; call it after fork, never before."""


def loop_alive(*, within_s: float = 15.0) -> bool:
    """Whether the loop turned in the last `within_s` seconds; False before it was started."""
