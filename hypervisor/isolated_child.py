"""The child of `hypervisor.isolated`: one connection, calls in, answers and events out.

It holds no secret but the path of its host's credentials, and ends when the other side goes away, also while libvirt
keeps a call waiting.
"""

import logging
import os
import queue
import socket
import threading
from collections.abc import Callable, Iterator
from functools import cache, partial
from inspect import signature
from typing import Any, Final, get_type_hints
from uuid import UUID

from hypervisor import events, wire
from hypervisor.driver import Hypervisor
from hypervisor.errors import HypervisorError
from hypervisor.events import Event
from hypervisor.uri import Address

_log = logging.getLogger(__name__)

# What may be called, and in which part. Each part has a thread of its own: storage that hangs keeps only storage
# waiting, a second connection that takes its time keeps nobody waiting, and guests have a connection of their own.
HOST, STORAGE, APART, GUESTS = "host", "storage", "apart", "guests"
CALLS: Final[dict[str, tuple[str, Callable[..., Any]]]] = {
    call.__name__: (part, call)
    for part, calls in {
        HOST: (
            Hypervisor.ping,
            Hypervisor.host_facts,
            Hypervisor.memory_free_mib,
            Hypervisor.read_domain,
            Hypervisor.read_domains_anew,
            Hypervisor.read_definition,
            Hypervisor.snapshot_outlines,
            Hypervisor.read_snapshots,
            Hypervisor.list_networks,
            Hypervisor.list_bridges,
            Hypervisor.list_host_devices,
            Hypervisor.read_stats,
        ),
        STORAGE: (Hypervisor.list_pools, Hypervisor.refresh_pool, Hypervisor.list_volumes),
        GUESTS: (Hypervisor.read_guest,),
    }.items()
    for call in calls
}


_PARTS: Final = {"set_storage_apart": APART, "leave_guests": GUESTS}


def serve(line: socket.socket) -> None:
    """Answer until the other side closes `line`; does not return."""
    try:
        child = _Child(line)
        unpacker = wire.Unpacker()
        while data := line.recv(65536):
            for message in unpacker.feed(data):
                child.take(message)
    except ConnectionError:
        pass
    finally:
        os._exit(0)


class _Child:
    def __init__(self, line: socket.socket) -> None:
        self._line = line
        self._sending = threading.Lock()
        self._queues: dict[str, queue.SimpleQueue[list[Any]]] = {}
        self._hypervisor: Hypervisor | None = None
        self._storage: Hypervisor | None = None
        self._guests: Hypervisor | None = None
        self._open: Callable[[], Hypervisor] | None = None

    def take(self, message: list[Any]) -> None:
        """Let the part's thread do it."""
        part = _PARTS.get(message[1]) or CALLS.get(message[1], (HOST, None))[0]
        if part not in self._queues:
            self._queues[part] = queue.SimpleQueue()
            threading.Thread(target=self._work, args=[self._queues[part]], name=part, daemon=True).start()
        self._queues[part].put(message)

    def _work(self, todo: "queue.SimpleQueue[list[Any]]") -> None:
        while True:
            number, name, *arguments = todo.get()
            try:
                answer = ["done", number, self._call(name, arguments)]
            except HypervisorError as error:
                kind, text = type(error).__name__, str(error.message)
                answer = ["failed", number, kind, text, error.code, error.domain]
            except Exception:  # noqa: BLE001 - a host can say anything; whatever it makes of us concerns this host alone
                _log.exception("%s could not be understood", name)
                text = "What this host said could not be understood; the watcher's log says more."
                answer = ["failed", number, HypervisorError.__name__, text, None, None]
            self._send(answer)

    def _call(self, name: str, arguments: list[Any]) -> object:
        if name == "open":
            address, interval_s, count = arguments
            self._open = partial(
                Hypervisor.open,
                wire.load(Address, address),
                keepalive_interval_s=interval_s,
                keepalive_count=count,
            )
            self._hypervisor = self._open()
            return None
        if self._hypervisor is None:
            raise HypervisorError("There is no connection yet.")
        if not events.loop_alive():
            _log.critical("libvirt's event loop does not turn: no event and no keepalive gets through")
            os._exit(1)
        if name == "subscribe":
            self._hypervisor.subscribe(partial(self._tell, self._hypervisor))
            return None
        if name == "set_storage_apart":
            self._set_storage_apart()
            return None
        if name == "leave_guests":
            self._leave_guests()
            return None
        part, call = CALLS[name]
        kinds = _kinds(name)
        loaded: Iterator[Any] = (wire.load(kind, one) for kind, one in zip(kinds, arguments, strict=True))
        return call(self._serving(part), *loaded)

    def _serving(self, part: str) -> Hypervisor | None:
        """The connection for this part's calls."""
        if part == GUESTS:
            return self._with_guests()
        return (self._storage or self._hypervisor) if part == STORAGE else self._hypervisor

    def _set_storage_apart(self) -> None:
        """Leave the connection, on which a call hangs, to storage, and make another for the rest.

        libvirt's client lets calls share a connection; but while one waits for its answer, the others may not be
        noticed before the next keepalive (docs/facts.md).
        """
        if self._storage is None and self._open is not None:
            fresh = self._open()
            fresh.subscribe(partial(self._tell, fresh))
            self._storage, self._hypervisor = self._hypervisor, fresh

    def _with_guests(self) -> Hypervisor | None:
        """The connection on which guests are asked: while one waits for an agent, the main one is free."""
        if self._guests is not None and not self._guests.is_alive():
            self._leave_guests()
        if self._guests is None and self._open is not None:
            self._guests = self._open()
        return self._guests

    def _leave_guests(self) -> None:
        if self._guests is not None:
            self._guests.close()
            self._guests = None

    def _tell(self, source: Hypervisor, event: Event) -> None:
        if source is not self._storage:
            self._send(["event", type(event).__name__, event])

    def _send(self, message: list[Any]) -> None:
        frame = wire.pack(message)
        try:
            with self._sending:
                self._line.sendall(frame)
        except OSError:
            os._exit(0)


@cache
def _kinds(name: str) -> tuple[type, ...]:
    """The types of a call's arguments by their places; those that must be named are not sent."""
    call = CALLS[name][1]
    hints, parameters = get_type_hints(call, {"UUID": UUID}), signature(call).parameters.values()
    return tuple(
        hints[one.name] for one in parameters if one.name in hints and one.kind is not one.KEYWORD_ONLY
    )
