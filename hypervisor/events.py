"""libvirt's event loop and what it tells us.

One daemon thread per process runs `virEventRunDefaultImpl`; it is started before the first connection is opened and
never stops. It also answers keepalives, so while it does not turn, a call to a dead host never returns: whoever runs
the process watches `loop_alive()` and ends the process when it says no.
"""

import contextlib
import logging
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import Final
from uuid import UUID

import libvirt

_log = logging.getLogger(__name__)

_HEARTBEAT_INTERVAL_S: Final = 5.0
_TEXT_LIMIT: Final = 256


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


class _Loop:
    """The loop of this process: when it last turned, and in which process it was started."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._started_by: int | None = None
        self._turned_at = 0.0

    def ensure(self) -> None:
        with self._lock:
            if self._started_by is None:
                libvirt.registerErrorHandler(_drop_error, None)
                libvirt.virEventRegisterDefaultImpl()
                libvirt.virEventAddTimeout(int(_HEARTBEAT_INTERVAL_S * 1000), self._beat, None)
                self._turned_at = time.monotonic()
                self._started_by = os.getpid()
                threading.Thread(target=self._run, name="libvirt-events", daemon=True).start()
            elif self._started_by != os.getpid():
                raise RuntimeError("libvirt's event loop was started before this process was forked.")

    def turned_within(self, seconds: float) -> bool:
        return self._started_by == os.getpid() and time.monotonic() - self._turned_at < seconds

    def _beat(self, _timer: int, _opaque: None) -> None:
        self._turned_at = time.monotonic()

    def _run(self) -> None:
        try:
            while True:
                libvirt.virEventRunDefaultImpl()
        except libvirt.libvirtError:
            _log.critical(
                "libvirt's event loop ended; no call to a silent host will return any more", exc_info=True
            )


_loop = _Loop()


def ensure_loop() -> None:
    """Start the event loop's thread in this process unless it runs already.

    Raises `RuntimeError` in a child whose parent had started it: threads do not survive a fork.
    """
    _loop.ensure()


def loop_alive(*, within_s: float = 3 * _HEARTBEAT_INTERVAL_S) -> bool:
    """Whether the loop turned in the last `within_s` seconds (it does so every five); False if it never started."""
    return _loop.turned_within(within_s)


class Subscription:
    """Everything one connection can tell, until `cancel`. `listener` runs on the loop's thread."""

    def __init__(self, connection: libvirt.virConnect, listener: Listener) -> None:
        self._connection = connection
        self._listener = listener
        connection.registerCloseCallback(self._closed, None)
        self._domain_ids = [
            connection.domainEventRegisterAny(
                None, libvirt.VIR_DOMAIN_EVENT_ID_LIFECYCLE, self._lifecycle, None
            ),
            *(
                connection.domainEventRegisterAny(None, event_id, self._domain_changed, kind)
                for event_id, kind in _DOMAIN_EVENTS.items()
            ),
        ]
        self._network_id = connection.networkEventRegisterAny(
            None, libvirt.VIR_NETWORK_EVENT_ID_LIFECYCLE, self._network_changed, None
        )
        self._pool_ids = [
            connection.storagePoolEventRegisterAny(None, event_id, self._pool_changed, event_id)
            for event_id in (
                libvirt.VIR_STORAGE_POOL_EVENT_ID_LIFECYCLE,
                libvirt.VIR_STORAGE_POOL_EVENT_ID_REFRESH,
            )
        ]

    def cancel(self) -> None:
        """Hear nothing more. libvirt forgets its side first, so a dead connection is no obstacle."""
        connection = self._connection
        calls: list[Callable[[], object]] = [
            connection.unregisterCloseCallback,
            *(partial(connection.domainEventDeregisterAny, number) for number in self._domain_ids),
            partial(connection.networkEventDeregisterAny, self._network_id),
            *(partial(connection.storagePoolEventDeregisterAny, number) for number in self._pool_ids),
        ]
        for call in calls:
            with contextlib.suppress(libvirt.libvirtError):
                call()

    def _lifecycle(
        self,
        _connection: libvirt.virConnect,
        domain: libvirt.virDomain,
        event: int,
        detail: int,
        _opaque: None,
    ) -> None:
        kind = _LIFECYCLE.get(event)
        if kind is not None:
            self._tell_domain(domain, kind, str(detail))

    def _domain_changed(
        self, _connection: libvirt.virConnect, domain: libvirt.virDomain, *details: object
    ) -> None:
        """Every other domain event: its details differ, the last of them is what we registered it with."""
        kind = DomainEventKind(str(details[-1]))
        self._tell_domain(domain, kind, " ".join(str(detail) for detail in details[:-1]))

    def _tell_domain(self, domain: libvirt.virDomain, kind: DomainEventKind, detail: str) -> None:
        uuid, name = UUID(domain.UUIDString()), domain.name()[:_TEXT_LIMIT]
        self._tell(DomainEvent(uuid=uuid, name=name, kind=kind, detail=detail[:_TEXT_LIMIT]))

    def _network_changed(
        self,
        _connection: libvirt.virConnect,
        network: libvirt.virNetwork,
        event: int,
        _detail: int,
        _opaque: None,
    ) -> None:
        kind = _NETWORK_LIFECYCLE.get(event, ObjectEventKind.OTHER)
        self._tell(
            NetworkEvent(uuid=UUID(network.UUIDString()), name=network.name()[:_TEXT_LIMIT], kind=kind)
        )

    def _pool_changed(
        self, _connection: libvirt.virConnect, pool: libvirt.virStoragePool, *details: int
    ) -> None:
        if details[-1] == libvirt.VIR_STORAGE_POOL_EVENT_ID_REFRESH:
            kind = ObjectEventKind.REFRESHED
        else:
            kind = _POOL_LIFECYCLE.get(details[0], ObjectEventKind.OTHER)
        self._tell(PoolEvent(uuid=UUID(pool.UUIDString()), name=pool.name()[:_TEXT_LIMIT], kind=kind))

    def _closed(self, _connection: libvirt.virConnect, reason: int, _opaque: None) -> None:
        self._tell(ConnectionClosed(reason=_CLOSE_REASONS.get(reason, "unknown")))

    def _tell(self, event: Event) -> None:
        try:
            self._listener(event)
        except Exception:  # noqa: BLE001 - an exception that leaves a callback ends up in libvirt's C code
            _log.exception("A listener failed on %s", event)


def _drop_error(_context: None, _error: object) -> None:
    """libvirt prints every error to stderr unless told otherwise; ours come as exceptions."""


_LIFECYCLE: Final = {
    libvirt.VIR_DOMAIN_EVENT_DEFINED: DomainEventKind.DEFINED,
    libvirt.VIR_DOMAIN_EVENT_UNDEFINED: DomainEventKind.UNDEFINED,
    libvirt.VIR_DOMAIN_EVENT_STARTED: DomainEventKind.STARTED,
    libvirt.VIR_DOMAIN_EVENT_SUSPENDED: DomainEventKind.SUSPENDED,
    libvirt.VIR_DOMAIN_EVENT_RESUMED: DomainEventKind.RESUMED,
    libvirt.VIR_DOMAIN_EVENT_STOPPED: DomainEventKind.STOPPED,
    libvirt.VIR_DOMAIN_EVENT_SHUTDOWN: DomainEventKind.SHUTDOWN,
    libvirt.VIR_DOMAIN_EVENT_PMSUSPENDED: DomainEventKind.PMSUSPENDED,
    libvirt.VIR_DOMAIN_EVENT_CRASHED: DomainEventKind.CRASHED,
}
_DOMAIN_EVENTS: Final = {
    libvirt.VIR_DOMAIN_EVENT_ID_REBOOT: DomainEventKind.REBOOTED,
    libvirt.VIR_DOMAIN_EVENT_ID_GRAPHICS: DomainEventKind.GRAPHICS,
    libvirt.VIR_DOMAIN_EVENT_ID_DEVICE_ADDED: DomainEventKind.DEVICE_ADDED,
    libvirt.VIR_DOMAIN_EVENT_ID_DEVICE_REMOVED: DomainEventKind.DEVICE_REMOVED,
    libvirt.VIR_DOMAIN_EVENT_ID_TRAY_CHANGE: DomainEventKind.TRAY_CHANGED,
    libvirt.VIR_DOMAIN_EVENT_ID_METADATA_CHANGE: DomainEventKind.METADATA_CHANGED,
    libvirt.VIR_DOMAIN_EVENT_ID_BALLOON_CHANGE: DomainEventKind.BALLOON_CHANGED,
    libvirt.VIR_DOMAIN_EVENT_ID_BLOCK_JOB_2: DomainEventKind.BLOCK_JOB,
    libvirt.VIR_DOMAIN_EVENT_ID_IO_ERROR_REASON: DomainEventKind.IO_ERROR,
    libvirt.VIR_DOMAIN_EVENT_ID_WATCHDOG: DomainEventKind.WATCHDOG,
    libvirt.VIR_DOMAIN_EVENT_ID_AGENT_LIFECYCLE: DomainEventKind.AGENT,
}
_NETWORK_LIFECYCLE: Final = {
    libvirt.VIR_NETWORK_EVENT_DEFINED: ObjectEventKind.DEFINED,
    libvirt.VIR_NETWORK_EVENT_UNDEFINED: ObjectEventKind.UNDEFINED,
    libvirt.VIR_NETWORK_EVENT_STARTED: ObjectEventKind.STARTED,
    libvirt.VIR_NETWORK_EVENT_STOPPED: ObjectEventKind.STOPPED,
}
_POOL_LIFECYCLE: Final = {
    libvirt.VIR_STORAGE_POOL_EVENT_DEFINED: ObjectEventKind.DEFINED,
    libvirt.VIR_STORAGE_POOL_EVENT_UNDEFINED: ObjectEventKind.UNDEFINED,
    libvirt.VIR_STORAGE_POOL_EVENT_STARTED: ObjectEventKind.STARTED,
    libvirt.VIR_STORAGE_POOL_EVENT_STOPPED: ObjectEventKind.STOPPED,
    libvirt.VIR_STORAGE_POOL_EVENT_CREATED: ObjectEventKind.CREATED,
    libvirt.VIR_STORAGE_POOL_EVENT_DELETED: ObjectEventKind.DELETED,
}
_CLOSE_REASONS: Final = {
    libvirt.VIR_CONNECT_CLOSE_REASON_ERROR: "error",
    libvirt.VIR_CONNECT_CLOSE_REASON_EOF: "end of file",
    libvirt.VIR_CONNECT_CLOSE_REASON_KEEPALIVE: "keepalive timeout",
    libvirt.VIR_CONNECT_CLOSE_REASON_CLIENT: "closed by us",
}
