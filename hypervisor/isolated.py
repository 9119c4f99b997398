"""A connection to one host in a process of its own, which can be killed.

libvirt has no time limit for connecting, and what a host answers is parsed by C code. So whoever must never wait for
a host, or trust it, keeps the connection in a child that holds nothing: calls go over a socket pair, facts and events
come back as `hypervisor.wire` has them. A deadline that is missed kills the child, and its ssh with it.
"""

import contextlib
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Generic, Self, TypeVar
from uuid import UUID

from hypervisor import events, wire
from hypervisor.device_facts import BridgeFacts, HostDeviceFacts
from hypervisor.errors import Busy, HypervisorError, Unreachable
from hypervisor.facts import DomainFacts, DomainReading, HostFacts, NetworkFacts, PoolFacts, VolumeFacts
from hypervisor.guest_facts import GuestFacts
from hypervisor.snapshots import SnapshotFacts, SnapshotOutline
from hypervisor.stats import HostStats
from hypervisor.uri import Address

Value = TypeVar("Value")

STORAGE_S: Final = 20.0
_EVENTS: Final[dict[str, type[events.Event]]] = {
    kind.__name__: kind
    for kind in (events.DomainEvent, events.NetworkEvent, events.PoolEvent, events.ConnectionClosed)
}


@dataclass(frozen=True, slots=True)
class Question(Generic[Value]):
    """A call, for `ask_later`, and the type of what it gives; `about` is the pool or domain that it asks for."""

    name: str
    kind: Any
    about: UUID | None = None

    @property
    def arguments(self) -> tuple[object, ...]:
        """What the call is given."""
        return () if self.about is None else (self.about,)


POOLS: Final[Question[list[PoolFacts]]] = Question("list_pools", list[PoolFacts])
_APART: Final[Question[None]] = Question("set_storage_apart", type(None))


# The connection on which guests are asked is closed: one round after another opens its own.
LEAVE_GUESTS: Final[Question[None]] = Question("leave_guests", type(None))


def fresh_pool(pool: UUID) -> Question[PoolFacts]:
    """The pool, after libvirt has looked at its directory again."""
    return Question("refresh_pool", PoolFacts, pool)


def volumes(pool: UUID) -> Question[list[VolumeFacts]]:
    """All volumes of an active pool."""
    return Question("list_volumes", list[VolumeFacts], pool)


def guest(domain: UUID) -> Question[GuestFacts]:
    """What is known of the guest of a domain that is on. Asked on a connection of its own, because agents are slow."""
    return Question("read_guest", GuestFacts, domain)


class Isolated:
    """What the watcher and the checks ask of a host; the words are those of `hypervisor.driver.Hypervisor`.

    Belongs to one thread. Every method raises HypervisorError; after an `Unreachable` only `close` makes sense.
    """

    def __init__(self, line: socket.socket, pidfd: int) -> None:
        self._line = line
        self._pidfd = pidfd
        self._unpacker = wire.Unpacker()
        self._listener: events.Listener | None = None
        self._calls = 0
        self._later: dict[int, tuple[Question[Any], Callable[[Any], None]]] = {}
        self._closed = False
        # How long a call that takes several round trips may last.
        self.deadline_s = 30.0

    @classmethod
    def open(
        cls, address: Address, *, deadline_s: float, keepalive_interval_s: int = 5, keepalive_count: int = 2
    ) -> Self:
        """Connect within `deadline_s`. Raises `Unreachable` or `AccessDenied`."""
        opened = cls(*_zygote.fork())
        try:
            opened._ask(
                "open",
                type(None),
                address,
                keepalive_interval_s,
                keepalive_count,
                deadline_s=deadline_s,
                missed=f"It did not let us in within {deadline_s:.0f} s.",
            )
        except BaseException:
            opened.close()
            raise
        return opened

    def close(self) -> None:
        """End the child, whatever it is doing; closing twice is harmless."""
        if self._closed:
            return
        self._closed = True
        self._line.close()
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)
        os.close(self._pidfd)

    def subscribe(self, listener: events.Listener) -> None:
        """Call `listener` with every `Event` of this host, from within `wait` and the other methods here."""
        self._listener = listener
        self._ask("subscribe", type(None))

    def wait(self, timeout_s: float, *, wake: int) -> None:
        """Until an event was told, the descriptor `wake` can be read, or the time is up."""
        if _readable(self._line, timeout_s, wake):
            for message in self._received():
                self._note(message)

    def drain(self, timeout_s: float) -> None:
        """Tell of the events that come within this time."""
        ends = time.monotonic() + timeout_s
        while not self._closed and (left_s := ends - time.monotonic()) > 0 and _readable(self._line, left_s):
            for message in self._received():
                self._note(message)

    def host_facts(self) -> HostFacts:
        """Everything that is known about the host."""
        return self._ask("host_facts", HostFacts)

    def ping(self, *, deadline_s: float) -> None:
        """Hear that it answers: one round trip."""
        self._ask("ping", type(None), deadline_s=deadline_s)

    def memory_free_mib(self) -> int:
        """What the host could give to guests right now."""
        return self._ask("memory_free_mib", int)

    def read_domain(self, uuid: UUID) -> DomainFacts:
        """All that is known of one domain. Raises `NotFound`."""
        return self._ask("read_domain", DomainFacts, uuid)

    def read_domains_anew(self, known: Mapping[UUID, str]) -> list[DomainReading]:
        """All domains that can be understood; without the facts of those that still have the digest in `known`."""
        return self._ask("read_domains_anew", list[DomainReading], known)

    def read_definition(self, uuid: UUID) -> str:
        """One domain's definition, with its secrets. Raises `NotFound`."""
        return self._ask("read_definition", str, uuid)

    def snapshot_outlines(self) -> list[SnapshotOutline]:
        """Which domains have which snapshots."""
        return self._ask("snapshot_outlines", list[SnapshotOutline])

    def read_snapshots(self, uuid: UUID) -> list[SnapshotFacts]:
        """All snapshots of one domain. Raises `NotFound`."""
        return self._ask("read_snapshots", list[SnapshotFacts], uuid)

    def list_networks(self) -> list[NetworkFacts]:
        """All networks."""
        return self._ask("list_networks", list[NetworkFacts])

    def list_bridges(self) -> list[BridgeFacts]:
        """The bridges of its own system."""
        return self._ask("list_bridges", list[BridgeFacts])

    def list_host_devices(self) -> list[HostDeviceFacts]:
        """Its PCI and USB devices."""
        return self._ask("list_host_devices", list[HostDeviceFacts])

    def read_stats(self) -> HostStats:
        """Counters of the host and of every domain that is on, now."""
        return self._ask("read_stats", HostStats)

    def list_pools(self) -> list[PoolFacts]:
        """All pools. Raises `Busy`, as the next two do, while the host's storage does not answer."""
        return self._ask_storage(POOLS)

    def refresh_pool(self, pool: UUID) -> PoolFacts:
        """Let libvirt look at the pool's directory again."""
        return self._ask_storage(fresh_pool(pool))

    def list_volumes(self, pool: UUID) -> list[VolumeFacts]:
        """All volumes of an active pool."""
        return self._ask_storage(volumes(pool))

    def ask_later(self, question: Question[Value], then: Callable[[Value | HypervisorError], None]) -> None:
        """Ask, and go on; `then` gets the answer, or why there is none, from within `wait` and the other methods.

        There is no deadline: storage may hang for hours while everything else on the host is well.
        """
        self._later[self._send(question.name, question.arguments)] = question, then

    def set_storage_apart(self, then: Callable[[None | HypervisorError], None]) -> None:
        """Begin to give what `ask_later` asks a connection of its own, because it keeps all other calls waiting.

        `then` is as there. Until there are two connections, and where there can't be, all calls share the one.
        """
        self.ask_later(_APART, then)

    def _ask(
        self,
        name: str,
        kind: type[Value],
        *arguments: object,
        deadline_s: float | None = None,
        missed: str = "libvirtd on this host did not answer in time.",
    ) -> Value:
        number = self._send(name, arguments)
        try:
            return self._answer(number, kind, deadline_s or self.deadline_s)
        except TimeoutError:
            self.close()
            raise Unreachable(missed) from None

    def _ask_storage(self, question: Question[Value]) -> Value:
        number = self._send(question.name, question.arguments)
        try:
            found: Value = self._answer(number, question.kind, STORAGE_S)
        except TimeoutError:
            raise Busy("Storage on this host does not answer.") from None
        return found

    def _send(self, name: str, arguments: tuple[object, ...]) -> int:
        self._calls += 1
        try:
            self._line.sendall(wire.pack([self._calls, name, *arguments]))
        except OSError as error:
            raise self._lost() from error
        return self._calls

    def _answer(self, number: int, kind: type[Value], deadline_s: float) -> Value:
        """What the call gave. Raises TimeoutError, and what the call raised."""
        ends = time.monotonic() + deadline_s
        found: list[Any] | None = None
        while found is None:
            left_s = ends - time.monotonic()
            # A child that never stops sending must not outlast the deadline.
            if left_s <= 0 or not _readable(self._line, left_s):
                raise TimeoutError
            for message in self._received():
                if message[:2] in (["done", number], ["failed", number]):
                    found = message
                else:
                    self._note(message)
        answer = self._understood(found, kind)
        if isinstance(answer, HypervisorError):
            raise answer
        return answer

    def _understood(self, message: list[Any], kind: type[Value]) -> Value | HypervisorError:
        try:
            return _error(message[2:]) if message[0] == "failed" else wire.load(kind, message[2])
        except (wire.Nonsense, LookupError) as error:
            raise self._lost() from error

    def _received(self) -> list[list[Any]]:
        try:
            data = self._line.recv(1024 * 1024)
            if data:
                return self._unpacker.feed(data)
        except (OSError, wire.Nonsense) as error:
            raise self._lost() from error
        raise self._lost()

    def _note(self, message: list[Any]) -> None:
        """An event, or an answer that nobody waits for here."""
        match message:
            case ["event", str() as name, data] if name in _EVENTS and self._listener is not None:
                try:
                    self._listener(wire.load(_EVENTS[name], data))
                except wire.Nonsense as error:
                    raise self._lost() from error
            case ["done" | "failed", int() as number, *_] if number in self._later:
                question, then = self._later.pop(number)
                then(self._understood(message, question.kind))

    def _lost(self) -> Unreachable:
        self.close()
        return Unreachable("The process that talks to this host ended; it is started anew.")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class _Zygote:
    """This process's own `hypervisor.isolated_zygote`, started with the first child."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._control: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def fork(self) -> tuple[socket.socket, int]:
        """The line to a new child, and its pidfd."""
        with self._lock:
            if self._control is not None:
                try:
                    return self._fork(self._control)
                except OSError:
                    self._control.close()
            self._control = self._start()
            return self._fork(self._control)

    def _fork(self, control: socket.socket) -> tuple[socket.socket, int]:
        ours, theirs = socket.socketpair()
        try:
            with theirs:
                socket.send_fds(control, [b"."], [theirs.fileno()])
                message, descriptors, _, _ = socket.recv_fds(control, 1, 1)
            if not message:
                raise ConnectionResetError
        except OSError:
            ours.close()
            raise
        return ours, descriptors[0]

    def _start(self) -> socket.socket:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        ours, theirs = socket.socketpair()
        ours.settimeout(20)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "hypervisor.isolated_zygote"],
                cwd=Path(__file__).resolve().parents[1],
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                env=dict(_environment()),
                start_new_session=True,
            )
        return ours


def _environment() -> Iterator[tuple[str, str]]:
    """Nothing of ours but the path: settings hold passwords, and libvirt's own variables would change what it does."""
    yield "PATH", os.environ.get("PATH", os.defpath)
    yield "LANG", "C.UTF-8"
    yield "HOME", "/nonexistent"
    yield "MALLOC_ARENA_MAX", "1"  # with an arena for each thread a child takes twice the memory


def _readable(line: socket.socket, timeout_s: float, *wakes: int) -> bool:
    """Whether `line` can be read, or broke, before the time was up or one of `wakes` could be."""
    poll = select.poll()
    for descriptor in (line.fileno(), *wakes):
        poll.register(descriptor, select.POLLIN)
    return any(descriptor == line.fileno() for descriptor, _ in poll.poll(max(0.0, timeout_s) * 1000))


def _error(details: list[Any]) -> HypervisorError:
    name, message, *numbers = details
    code, domain = wire.load(tuple[int | None, int | None], numbers)
    return _errors().get(name, HypervisorError)(wire.load(str, message), code=code, domain=domain)


def _errors() -> dict[str, type[HypervisorError]]:
    found = {HypervisorError.__name__: HypervisorError}
    todo = [HypervisorError]
    while todo:
        for kind in todo.pop().__subclasses__():
            found[kind.__name__] = kind
            todo.append(kind)
    return found


_zygote: Final = _Zygote()
os.register_at_fork(after_in_child=_zygote.__init__)  # type: ignore[misc]
