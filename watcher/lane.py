"""One host's lane: a thread with a connection of its own that keeps this host's part of the inventory true.

Events are hints to look; the full reading at connect and every minute is the truth. Nothing here is shared with other
lanes but the database: the connection lives in a child process, which is killed where it does not answer, so a host
that hangs, lies or floods keeps nobody else waiting.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Final, ParamSpec, TypeVar

import structlog
from django.db import InterfaceError, OperationalError

from hosts import connections
from hosts.inventory import Contact, SameMachine, note, record_blocked, record_lost
from hosts.models import Host
from hypervisor.errors import AccessDenied, HypervisorError, Unreachable, Unsupported
from hypervisor.stats import HostStats
from watcher.backoff import Backoff, jittered
from watcher.claims import ClaimLost, Claims, Held
from watcher.following import SLOWEST_LINE_S, Following
from watcher.pulses import Pulse, Pulses
from watcher.writers import Closed, Writers

log = structlog.get_logger(__name__)

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")

OPEN_S: Final = 8.0
# A connection that stood this long and broke is made again at once, before anybody is told: a daemon that restarts, or
# a line that loses packets, does not make a host that comes and goes. Silence and this try together end within 20 s.
STEADY_S: Final = 10.0
# A daemon that restarts refuses connections until it listens again.
RESTART_S: Final = 2.0
RESTART_TRY_S: Final = 0.25
SILENT_S: Final = 18.0
SHORTEST_OPEN_S: Final = 3.0
ROUND_TRIPS: Final = 10
# Only a person can mend it, and what they change in the panel is noticed by itself.
BLOCKED_S: Final = 60.0
CLOSING_S: Final = 0.2


class Lane:
    """Runs from `start` until `stop`, or until another watcher has the host; whatever fails, it tries again."""

    def __init__(self, held: Held, claims: Claims, writers: Writers, pulses: Pulses) -> None:
        self.held = held
        self.host = held.host
        self._claims = claims
        self._writers = writers
        self._pulses = pulses
        self._backoff = Backoff()
        self._stopping = threading.Event()
        self._wake = os.eventfd(0)
        self._ending = threading.Lock()
        self._ended = False
        self._steady = False
        self._heard_at = 0.0
        self._latency_s = 0.0
        # Why the connection broke that is being made again at once.
        self._broke = ""
        self._broke_at = 0.0
        self._told = ""
        self._thread = threading.Thread(target=self._run, name=f"lane {self.host.name}", daemon=True)

    def start(self) -> None:
        """Begin, on a thread of its own."""
        self._thread.start()

    def stop(self) -> None:
        """End with the next answer of the host, or with its deadline; returns at once."""
        with self._ending:
            if not self._stopping.is_set() and not self._ended:
                os.eventfd_write(self._wake, 1)
            self._stopping.set()

    def join(self, timeout_s: float) -> None:
        """Wait for the end."""
        self._thread.join(timeout_s)

    @property
    def alive(self) -> bool:
        """Whether its thread runs."""
        return self._thread.is_alive()

    def _run(self) -> None:
        try:
            self._try_until_stopped()
        finally:
            with self._ending:
                self._ended = True
                os.close(self._wake)

    def _try_until_stopped(self) -> None:
        structlog.contextvars.bind_contextvars(host=self.host.name)
        while not self._stopping.is_set():
            try:
                wait_s = self._try()
            except (ClaimLost, Closed):
                break
            except (InterfaceError, OperationalError):
                log.exception("the database failed; the host is read anew")
                wait_s = self._backoff.next_s(tried_s=0)
            except Exception:
                log.exception("the lane broke; the host is read anew")
                self._tell_broken()
                wait_s = self._backoff.next_s(tried_s=0)
            self._stopping.wait(wait_s)

    def _try(self) -> float:
        """Follow the host as long as that goes well; how many seconds to wait before the next try."""
        began = time.monotonic()
        try:
            self._connect_and_follow()
        except (AccessDenied, SameMachine, Unsupported) as error:
            self._tell(record_blocked, str(error))
            return jittered(BLOCKED_S)
        except HypervisorError as error:
            if not self._again_at_once(error.message):
                self._tell(record_lost, self._broke or error.message)
                return self._backoff.next_s(tried_s=time.monotonic() - began)
            return RESTART_TRY_S
        return 0.0

    def _connect_and_follow(self) -> None:
        """Connect, read everything, follow events. Returns when asked to stop; raises HypervisorError otherwise."""
        self._steady = False
        address = self._writers.do(partial(connections.prepared_address, self.host))
        with connections.open_isolated_at(address, deadline_s=self._open_s()) as hypervisor:
            following = Following(self.host, hypervisor, self._record, self._hand_in)
            try:
                following.begin()
                self._connected()
                steady_at = time.monotonic() + STEADY_S
                while not self._stopping.is_set():
                    following.go_on(wake=self._wake)
                    if not self._steady and time.monotonic() >= steady_at:
                        self._steady = True
                        self._backoff.reset()
            except Unreachable as error:
                self._heard_at, self._latency_s = following.heard_at, following.latency_s
                raise Unreachable(following.why_closed(within_s=CLOSING_S) or error.message) from error

    def _open_s(self) -> float:
        slow_s = ROUND_TRIPS * min(self._latency_s, SLOWEST_LINE_S)
        if not self._broke:
            return OPEN_S + slow_s
        return slow_s + min(OPEN_S, max(SHORTEST_OPEN_S, SILENT_S - (time.monotonic() - self._heard_at)))

    def _again_at_once(self, reason: str) -> bool:
        """Whether this is the moment to make a good connection again before anybody is told that it broke."""
        now = time.monotonic()
        if not self._steady:
            return self._broke != "" and now < self._broke_at + RESTART_S
        self._steady = False
        self._broke, self._broke_at = reason, now
        log.info("connection broke", reason=reason)
        return True

    def _connected(self) -> None:
        log.info("host connected")
        self._told = ""
        if self._broke:
            reason, self._broke = self._broke, ""
            self._record(note, self.host, "reconnected", f"Connected again at once. {reason}")

    def _tell(self, write: Callable[[Host, str], None], reason: str) -> None:
        self._broke, self._latency_s = "", 0.0
        if reason != self._told:
            log.warning("host lost", reason=reason)
            self._told = reason
        self._record(write, self.host, reason)

    def _tell_broken(self) -> None:
        """What the panel shows of the host is not kept true any more, though the host may be well."""
        reason = "The panel itself failed at this host; the watcher's log says why."
        try:
            if not self._again_at_once(reason):
                self._tell(record_lost, reason)
        except Exception:
            log.exception("the host keeps the state it was seen in")

    def _hand_in(self, contact: Contact | None, before: HostStats | None, now: HostStats) -> None:
        self._pulses.put(Pulse(held=self.held, contact=contact, before=before, now=now))

    def _record(
        self, write: Callable[Parameters, Result], /, *arguments: Parameters.args, **named: Parameters.kwargs
    ) -> Result:
        """Run one of the inventories' functions, if the host is still this lane's (`reading.Record`)."""

        def deed() -> Result:
            if self._stopping.is_set():
                raise ClaimLost("another lane has it now, or nobody")
            with self._claims.writing(self.held):
                return write(*arguments, **named)

        return self._writers.do(deed)
