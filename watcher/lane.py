"""One host's lane: a thread with a connection of its own that keeps this host's part of the inventory true.

Events are hints to look; the full reading at connect and every minute is the truth. Nothing here is shared with other
lanes, so a host that hangs, lies or floods keeps nobody else waiting.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import structlog
from django.db import Error, close_old_connections, connection

from hosts import connections
from hosts.inventory import record_lost
from hosts.models import Host
from hypervisor.errors import HypervisorError, Unreachable
from watcher import reading
from watcher.backoff import Backoff, jittered
from watcher.inbox import Batch, Inbox

log = structlog.get_logger(__name__)

CONTACT_S: Final = 10.0
READ_ALL_S: Final = 60.0
# libvirt does not see files that people put into a pool's folder; it looks there at every fifth reading.
REFRESH_EVERY: Final = 5
# A lane rests twice as long as it worked. So events back to back become one look, and a guest that brings about
# as many as it can takes a third of a processor at most.
REST: Final = 2
LONGEST_REST_S: Final = 0.5

CLOSING_S: Final = 0.2

_CLOSED: Final = {
    "keepalive timeout": "libvirtd on this host stopped answering.",
    "end of file": "libvirtd on this host closed the connection: it was stopped or restarted.",
}


class Lane:
    """Runs from `start` until `stop`; whatever fails, it tries again."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self.address = connections.address_of(host)
        self._inbox = Inbox()
        self._backoff = Backoff()
        self._stopping = threading.Event()
        self._busy_since: float | None = None
        self._readings = 0
        self._thread = threading.Thread(target=self._run, name=f"lane {host.name}", daemon=True)

    def start(self) -> None:
        """Begin, on a thread of its own."""
        self._thread.start()

    def stop(self) -> None:
        """End as soon as the host lets us; returns at once."""
        self._stopping.set()
        self._inbox.interrupt()

    def join(self, timeout_s: float) -> None:
        """Wait for the end."""
        self._thread.join(timeout_s)

    @property
    def alive(self) -> bool:
        """Whether the thread is there, be it stuck."""
        return self._thread.is_alive()

    @property
    def stuck_s(self) -> float:
        """How long it has been waiting for one answer of the host; 0 while it waits for events or for its next try."""
        since = self._busy_since
        return 0.0 if since is None else time.monotonic() - since

    def _run(self) -> None:
        structlog.contextvars.bind_contextvars(host=self.host.name)
        while not self._stopping.is_set():
            try:
                self._connect_and_follow()
            except HypervisorError as error:
                self._lost(self._why(error))
            except Error:
                log.exception("the database failed; the host is read anew")
            except Exception:
                log.exception("the lane broke; the host is read anew")
            connection.close()
            self._stopping.wait(self._backoff.next_s())

    def _why(self, error: HypervisorError) -> str:
        """The reason for people: libvirt says why a connection closed at about the time when a call on it fails."""
        closed = self._inbox.take(CLOSING_S).closed
        return error.message if closed is None else _words(closed)

    def _lost(self, reason: str) -> None:
        if self._stopping.is_set():
            return
        log.warning("host lost", reason=reason)
        try:
            record_lost(self.host, reason)
        except Error:
            log.exception("the database failed; the host stays as it was")

    def _connect_and_follow(self) -> None:
        """Connect, read everything, follow events. Returns when asked to stop; raises HypervisorError otherwise."""
        self._inbox = Inbox()
        with self._busy():
            hypervisor = connections.open_new(self.host)
        with hypervisor:
            if self._stopping.is_set():
                return
            hypervisor.subscribe(self._inbox.put)
            self._read_all(hypervisor)
            log.info("host connected")
            self._backoff.reset()
            self._follow(hypervisor)

    def _follow(self, hypervisor: connections.Hypervisor) -> None:
        contact_at = time.monotonic() + CONTACT_S
        read_all_at = time.monotonic() + jittered(READ_ALL_S)
        while not self._stopping.is_set():
            batch = self._inbox.take(max(0.0, min(contact_at, read_all_at) - time.monotonic()))
            began = time.monotonic()
            if batch.closed is not None:
                raise Unreachable(_words(batch.closed))
            self._read_some(hypervisor, batch)
            now = time.monotonic()
            if now >= read_all_at:
                self._read_all(hypervisor)
                contact_at, read_all_at = now + CONTACT_S, now + jittered(READ_ALL_S)
            elif now >= contact_at:
                with self._busy():
                    reading.contact(self.host, hypervisor)
                contact_at = now + CONTACT_S
            # To PostgreSQL hundreds of lanes would hold too many connections: each goes back to the pool.
            close_old_connections()
            self._stopping.wait(min(LONGEST_REST_S, REST * (time.monotonic() - began)))

    def _read_some(self, hypervisor: connections.Hypervisor, batch: Batch) -> None:
        with self._busy():
            if batch.domains:
                reading.read_some_domains(self.host, hypervisor, batch.domains)
            if batch.networks:
                reading.read_networks(self.host, hypervisor)
            if batch.pools:
                reading.read_pools(self.host, hypervisor, refresh=False)

    def _read_all(self, hypervisor: connections.Hypervisor) -> None:
        refresh = self._readings % REFRESH_EVERY == 0
        self._readings += 1
        with self._busy():
            reading.read_facts(self.host, hypervisor)
        with self._busy():
            reading.read_domains(self.host, hypervisor)
        with self._busy():
            reading.read_networks(self.host, hypervisor)
        with self._busy():
            reading.read_pools(self.host, hypervisor, refresh=refresh)
        close_old_connections()

    @contextmanager
    def _busy(self) -> Iterator[None]:
        self._busy_since = time.monotonic()
        try:
            yield
        finally:
            self._busy_since = None


def _words(closed: str) -> str:
    return _CLOSED.get(closed, f"The connection broke ({closed}).")
