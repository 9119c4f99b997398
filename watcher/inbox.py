"""Between libvirt's event thread and a host's lane: events come in one by one, what to look at goes out in batches."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
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

# They tell of viewers and of the agent: nothing that is kept of a machine changes with them.
_CHANGE_NOTHING: Final = frozenset(
    {DomainEventKind.GRAPHICS, DomainEventKind.AGENT, DomainEventKind.WATCHDOG}
)


@dataclass(slots=True)
class Batch:
    """What to look at again; `closed` is libvirt's word for why the connection ended, None while it stands."""

    domains: set[UUID] = field(default_factory=set)
    networks: bool = False
    pools: bool = False
    closed: str | None = None


class Inbox:
    """However many events there are of one machine, it is looked at once."""

    def __init__(self) -> None:
        self._news = threading.Condition()
        self._batch = Batch()
        self._waiting = False

    def put(self, event: Event) -> None:
        """Note what the event is about; runs on the event loop's thread and returns at once."""
        with self._news:
            match event:
                case DomainEvent(kind=kind) if kind in _CHANGE_NOTHING:
                    return
                case DomainEvent(uuid=uuid):
                    self._batch.domains.add(uuid)
                case NetworkEvent():
                    self._batch.networks = True
                case PoolEvent():
                    self._batch.pools = True
                case ConnectionClosed(reason=reason):
                    self._batch.closed = reason
            self._wake()

    def interrupt(self) -> None:
        """Let `take` return now, with what there is."""
        with self._news:
            self._wake()

    def take(self, timeout_s: float) -> Batch:
        """Everything since the last call; waits for the first news, at most `timeout_s`, and may come back empty."""
        with self._news:
            self._news.wait_for(lambda: self._waiting, timeout=timeout_s)
            batch, self._batch, self._waiting = self._batch, Batch(), False
            return batch

    def _wake(self) -> None:
        self._waiting = True
        self._news.notify()
