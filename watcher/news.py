"""What a host's events are about, until the lane looks: however many there are of one machine, it is looked at once."""

from __future__ import annotations

import time
from typing import Final
from uuid import UUID

from hypervisor.events import (
    ConnectionClosed,
    DomainEvent,
    DomainEventKind,
    Event,
    NetworkEvent,
    PoolEvent,
)

# They tell of viewers: nothing that is kept of a machine changes with them.
_CHANGE_NOTHING: Final = frozenset({DomainEventKind.GRAPHICS, DomainEventKind.WATCHDOG})
# A machine that stops and starts at once was rebooted: it is looked at when that would have happened.
REBOOT_S: Final = 0.25
# So long after its start a guest is asked: by one of these it has its address; there is no event when a lease is given.
BOOT_S: Final = (8.0, 20.0, 45.0, 90.0, 180.0)
# A guest decides how often its agent comes and goes; it is not asked more often than this, or the others would wait.
AGENT_S: Final = 5.0


class News:
    """Events in, things to look at out; one thread. `closed` is libvirt's word for why the connection ended."""

    def __init__(self) -> None:
        self.closed: str | None = None
        self._domains: dict[UUID, float] = {}
        self._guests: dict[UUID, float] = {}
        self._guests_taken: dict[UUID, float] = {}
        # When each is asked after the time that stands in `_guests`.
        self._booting: dict[UUID, list[float]] = {}
        self._networks = False
        self._pools = False

    def put(self, event: Event) -> None:
        """Note what the event is about."""
        match event:
            case DomainEvent(kind=kind) if kind in _CHANGE_NOTHING:
                return
            case DomainEvent(uuid=uuid, kind=DomainEventKind.AGENT):
                last = self._guests_taken.get(uuid, -AGENT_S)
                self._guests[uuid] = max(time.monotonic(), last + AGENT_S)
            case DomainEvent(uuid=uuid, kind=DomainEventKind.STARTED):
                self._domains[uuid] = time.monotonic()
                self._guests[uuid], *self._booting[uuid] = [time.monotonic() + after_s for after_s in BOOT_S]
            case DomainEvent(uuid=uuid, kind=DomainEventKind.STOPPED):
                self._domains.setdefault(uuid, time.monotonic() + REBOOT_S)
                self._booting.pop(uuid, None)
            case DomainEvent(uuid=uuid):
                self._domains[uuid] = time.monotonic()
            case NetworkEvent():
                self._networks = True
            case PoolEvent():
                self._pools = True
            case ConnectionClosed(reason=reason):
                self.closed = reason

    def look_at(self, uuid: UUID) -> None:
        """As if there had been an event of this machine."""
        self._domains[uuid] = time.monotonic()

    def due_s(self) -> float | None:
        """In how many seconds there is something to look at, None without news."""
        if self._networks or self._pools or self.closed is not None:
            return 0.0
        moments = [*self._domains.values(), *self._guests.values()]
        return max(0.0, min(moments) - time.monotonic()) if moments else None

    def take_domains(self) -> set[UUID]:
        """The machines whose time has come."""
        return _take_due(self._domains)

    def take_guests(self) -> set[UUID]:
        """The machines whose guests may tell something new by now."""
        taken, now = _take_due(self._guests), time.monotonic()
        lately = {uuid: at for uuid, at in self._guests_taken.items() if at > now - AGENT_S}
        self._guests_taken = lately | dict.fromkeys(taken, now)
        for uuid in taken & self._booting.keys():
            self._guests[uuid] = self._booting[uuid].pop(0)
            if not self._booting[uuid]:
                del self._booting[uuid]
        return taken

    def take_networks(self) -> bool:
        """Whether networks are to be looked at."""
        taken, self._networks = self._networks, False
        return taken

    def take_pools(self) -> bool:
        """Whether pools are to be looked at."""
        taken, self._pools = self._pools, False
        return taken


class Awaited:
    """Whose guests the next reading asks. Once all of them are due, they stay so, whoever has news meanwhile."""

    def __init__(self) -> None:
        self._some: set[UUID] = set()
        self._all = False

    def add(self, uuids: set[UUID]) -> None:
        """These too."""
        self._some |= uuids

    def add_all(self) -> None:
        """Every machine of the host."""
        self._all = True

    def take(self) -> set[UUID] | None:
        """Those that are due, None for all; the next reading has none of them."""
        taken = None if self._all else self._some
        self._some, self._all = set(), False
        return taken


def _take_due(waiting: dict[UUID, float]) -> set[UUID]:
    now = time.monotonic()
    due = {uuid for uuid, at in waiting.items() if at <= now}
    for uuid in due:
        del waiting[uuid]
    return due
