"""Lends open connections to workers and to the watcher, and to nobody else.

One connection per process and host, opened at first use (after the fork, never before) and kept open: a call on an
open one costs 0.1 ms. libvirt connections may be used from several threads.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

from hosts.models import Host
from hypervisor.driver import Hypervisor as Hypervisor  # others take the type's name from here
from hypervisor.uri import Address, Transport

_lock = threading.Lock()
_open: dict[UUID, Hypervisor] = {}
_role = ""


def act_as(role: str) -> None:
    """Say once, at start, what this process is: "worker", "watcher" or "command". Others get no connection."""
    global _role
    _role = role


@contextmanager
def borrow(host: Host) -> Iterator[Hypervisor]:
    """An open connection to `host`.

    Raises hypervisor.errors.Unreachable, and RuntimeError in a process that has no role.
    """
    yield _connection(host)


def open_new(host: Host) -> Hypervisor:
    """A connection of the caller's own, to be closed by the caller; the watcher's lanes use it."""
    if not _role:
        raise RuntimeError("only workers and the watcher talk to hosts")
    return Hypervisor.open(address_of(host))


def address_of(host: Host) -> Address:
    """The parts that `hypervisor.uri` builds a URI from."""
    return Address(transport=Transport(host.transport), socket=host.socket)


def _connection(host: Host) -> Hypervisor:
    with _lock:
        known = _open.get(host.uuid)
        if known is not None and known.is_alive():
            return known
        if known is not None:
            known.close()
            del _open[host.uuid]
    # Opened outside the lock: a host that doesn't answer must not keep threads that want another one.
    fresh = open_new(host)
    with _lock:
        raced = _open.setdefault(host.uuid, fresh)
    if raced is not fresh:
        fresh.close()
    return raced
