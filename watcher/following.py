"""What a lane does while it is connected: looks at what events tell of, and at everything in turns."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final, TypeAlias
from uuid import UUID

import structlog

import domains.duplicates
import hosts.inventory
import monitoring.inventory
import storage.inventory
from domains.standing import Standing
from hosts.inventory import Contact
from hosts.models import Host
from hypervisor.errors import HypervisorError, Unreachable
from hypervisor.isolated import Isolated
from hypervisor.stats import HostStats
from monitoring.rates import host_cpu_percent
from watcher import reading
from watcher.aside import Aside, Reading
from watcher.backoff import anywhere, jittered
from watcher.news import Awaited, News
from watcher.reading import Record

# Takes what a pulse found, and lets the lane go on: `watcher.pulses`.
HandIn: TypeAlias = Callable[[Contact | None, HostStats | None, HostStats], None]

log = structlog.get_logger(__name__)

# With events lost, every change is found within a minute.
READ_ALL_S: Final = 55.0
# What guests say of themselves seldom changes, but after a start and when an agent comes: then they are asked at once.
GUESTS_S: Final = 300.0
PULSE_S: Final = monitoring.inventory.SAMPLE_S
# The slowest answer of a host that still counts as there: keepalive ends the connection to one that is silent for 12.
PULSE_DEADLINE_S: Final = 10.0
LOOK_ASIDE_S: Final = 1.5
# Every second pulse is written down; the others only tell whether the host is there.
CONTACT_EVERY: Final = 2
# What a host is made of changes with a restart of its daemon, which we notice; asking takes a dozen calls.
FACTS_EVERY: Final = 3
# One question for each device of a host, which seldom has others than before; nor has it other bridges.
DEVICES_EVERY: Final = 3
# libvirt does not see files that people put into a pool's folder; it looks there at every sixth reading.
REFRESH_EVERY: Final = 6
# A call that takes many round trips may last this long, and the longer the slower the line is. A host that is silent
# for longer than it may be is found out by the pulse and by keepalive.
CALL_S: Final = 60.0
ROUND_TRIPS: Final = 20
SLOWEST_LINE_S: Final = 6.0
# From here on one call for all machines is cheaper than one for each.
MANY: Final = 16
# A lane rests twice as long as it worked. So events back to back become one look, and a guest that brings about
# as many as it can takes a third of a processor at most.
REST: Final = 2
LONGEST_REST_S: Final = 0.5

_CLOSED: Final = {
    "keepalive timeout": "libvirtd on this host stopped answering.",
    "end of file": "libvirtd on this host closed the connection: it was stopped or restarted.",
}


class _Turn:
    """Something done again and again."""

    def __init__(self, every_s: float, deed: Callable[[], None], *, first_s: float | None = None) -> None:
        self._every_s = every_s
        self._deed = deed
        self.at = time.monotonic() + (jittered(every_s) if first_s is None else first_s)

    def take(self) -> None:
        """Do it, if it is time."""
        if time.monotonic() >= self.at:
            self.at = time.monotonic() + jittered(self._every_s)
            self._deed()


class Following:
    """One connection's time, from connect to break."""

    def __init__(self, host: Host, hypervisor: Isolated, record: Record, hand_in: HandIn) -> None:
        self.heard_at = time.monotonic()
        self.latency_s = 0.0
        self._host = host
        self._hypervisor = hypervisor
        self._record = record
        self._hand_in = hand_in
        self._news = News()
        self._storage = Aside(hypervisor)
        self._guests = Aside(hypervisor)
        self._awaited = Awaited()
        self._standing = Standing()
        self._elsewhere: set[UUID] = set()
        self._pulses = 0
        self._readings = 0
        self._stats: HostStats | None = None
        self._turns = [
            _Turn(PULSE_S, self._pulse),
            # A watcher that starts connects to all hosts at once: their rounds come apart here.
            _Turn(READ_ALL_S, self._read_all, first_s=anywhere(READ_ALL_S)),
            _Turn(GUESTS_S, self._read_guests, first_s=anywhere(GUESTS_S)),
        ]
        self._look_aside_turn = _Turn(LOOK_ASIDE_S, self._look_aside)

    def begin(self) -> None:
        """Read everything, once events are on. Raises HypervisorError, SameMachine."""
        self._hypervisor.subscribe(self._news.put)
        self._feel()
        self._read_all()
        self._readings += int(anywhere(FACTS_EVERY))  # the next thorough ones, each host at its own time
        self._read_guests()

    def go_on(self, *, wake: int) -> None:
        """Wait for what is next, at most until `wake` can be read, and do it. Raises HypervisorError."""
        turns = [*self._turns, self._look_aside_turn] if self._something_aside else self._turns
        soonest = min(turn.at for turn in turns) - time.monotonic()
        due_s = self._news.due_s()
        self._hypervisor.wait(soonest if due_s is None else min(due_s, soonest), wake=wake)
        began = time.monotonic()
        if self._news.closed is not None:
            raise Unreachable(words(self._news.closed))
        self._look()
        for turn in turns:
            turn.take()
        self._storage.go_on()
        self._guests.go_on()
        time.sleep(min(LONGEST_REST_S, REST * (time.monotonic() - began)))

    @property
    def _something_aside(self) -> bool:
        return bool(self._elsewhere) or self._storage.question is not None or self._storage.silence_told

    def why_closed(self, *, within_s: float) -> str | None:
        """libvirt's reason for the end of the connection; it comes at about the time when a call on it fails."""
        with suppress(HypervisorError):
            self._hypervisor.drain(within_s)
        return None if self._news.closed is None else words(self._news.closed)

    def _look(self) -> None:
        uuids = self._news.take_domains()
        if len(uuids) >= MANY:
            self._elsewhere = self._read_domains()
        else:
            self._elsewhere -= uuids
            self._elsewhere |= reading.read_some_domains(self._host, self._hypervisor, self._record, uuids)
        if guests := self._news.take_guests():
            self._awaited.add(guests)
            self._guests.start(self._read_awaited_guests)
        if self._news.take_networks():
            reading.read_networks(self._host, self._hypervisor, self._record)
        if self._news.take_pools():
            self._read_storage(refresh=False)

    def _read_all(self) -> None:
        self._feel()
        called_up = self._record(hosts.inventory.record_felt, self._host, latency_ms=1000 * self.latency_s)
        if self._readings % FACTS_EVERY == 0 or not called_up:
            reading.read_facts(self._host, self._hypervisor, self._record, latency_s=self.latency_s)
        self._elsewhere = self._read_domains()
        reading.read_snapshots(self._host, self._hypervisor, self._record)
        reading.read_networks(self._host, self._hypervisor, self._record)
        if self._readings % DEVICES_EVERY == 0:
            reading.read_bridges(self._host, self._hypervisor, self._record)
            reading.read_devices(self._host, self._hypervisor, self._record)
        self._read_storage(refresh=self._readings % REFRESH_EVERY == 0)
        self._readings += 1

    def _read_domains(self) -> set[UUID]:
        return reading.read_domains(self._host, self._hypervisor, self._record, self._standing)

    def _read_storage(self, *, refresh: bool) -> None:
        self._storage.start(lambda: reading.read_storage(self._host, self._record, refresh=refresh))
        self._storage.go_on()

    def _read_guests(self) -> None:
        self._awaited.add_all()
        self._guests.start(self._read_awaited_guests)
        self._guests.go_on()

    def _read_awaited_guests(self) -> Reading:
        return reading.read_guests(self._host, self._record, self._awaited.take())

    def _feel(self) -> None:
        """Whether it is there, and how long it takes to say so."""
        began = time.monotonic()
        self._hypervisor.ping(deadline_s=PULSE_DEADLINE_S)
        self.heard_at = time.monotonic()
        before, self.latency_s = self.latency_s, self.heard_at - began
        # One late answer does not make a slow line: libvirtd may have been busy.
        slow_s = ROUND_TRIPS * min(before, self.latency_s, SLOWEST_LINE_S)
        self._hypervisor.deadline_s = CALL_S + slow_s
        self._storage.allow_for(slow_s)

    def _pulse(self) -> None:
        """Feel it, and take a sample of what its machines use."""
        self._feel()
        self._pulses += 1
        contact = self._pulses % CONTACT_EVERY == 0
        memory_free_mib = self._hypervisor.memory_free_mib() if contact else None
        before, self._stats = self._stats, self._hypervisor.read_stats()
        if before is not None or contact:
            told = None if memory_free_mib is None else self._contact(memory_free_mib, before, self._stats)
            self._hand_in(told, before, self._stats)

    def _contact(self, memory_free_mib: int, before: HostStats | None, now: HostStats) -> Contact:
        return Contact(
            memory_free_mib=memory_free_mib,
            latency_ms=1000 * self.latency_s,
            cpu_percent=None if before is None else host_cpu_percent(before, now),
        )

    def _look_aside(self) -> None:
        """At machines that another host had, and at storage that keeps us waiting."""
        if self._elsewhere:
            for uuid in self._record(domains.duplicates.released, self._host):
                self._news.look_at(uuid)
        self._storage.make_way()
        if self._storage.silent != self._storage.silence_told:
            self._storage.silence_told = self._storage.silent
            question = self._storage.question
            if question is None:
                self._record(hosts.inventory.note, self._host, "storage", "Its storage answers again.")
            else:
                self._record(storage.inventory.record_silent, self._host, question.about)


def words(closed: str) -> str:
    """libvirt's word for the end of a connection, for people."""
    return _CLOSED.get(closed, f"The connection broke ({closed}).")
