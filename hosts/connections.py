"""Lends open connections to workers and to the watcher, and to nobody else.

One connection per process and host, opened at first use (after the fork, never before) and kept open: a call on an
open one costs 0.1 ms, opening one over SSH 300. libvirt connections may be used from several threads.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple
from uuid import UUID

from hosts import credentials
from hosts.models import Host, HostState
from hypervisor.driver import Hypervisor as Hypervisor  # others take the type's name from here
from hypervisor.errors import AccessDenied, Unreachable
from hypervisor.isolated import Isolated
from hypervisor.opener import Opener
from hypervisor.opener import left_behind as left_behind  # for who ends processes
from hypervisor.uri import Address, Transport

OPEN_S = 15.0


class _Kept(NamedTuple):
    """A connection, and what it was opened on."""

    opener: Opener
    trusted: str

    def serves(self, address: Address, trusted: str) -> bool:
        """Whether it is good, and still leads to where it should."""
        return self.opener.alive and self.opener.address == address and self.trusted == trusted


_lock = threading.Lock()
_open: dict[UUID, _Kept] = {}
_role = ""


def act_as(role: str) -> None:
    """Say once, at start, what this process is: "worker", "watcher" or "command". Others get no connection."""
    global _role
    _role = role


@contextmanager
def borrow(host: Host) -> Iterator[Hypervisor]:
    """An open connection to `host`, within OPEN_S.

    Raises hypervisor.errors.Unreachable and AccessDenied, at once where the watcher found the host like that, and
    RuntimeError in a process that has no role.
    """
    with _opener(host).lend() as hypervisor:
        yield hypervisor


def open_new(host: Host) -> Hypervisor:
    """A connection of the caller's own, to be closed by the caller.

    Over SSH it ends with the thread that opened it. Without a deadline for a host that falls silent meanwhile.
    """
    _require_role()
    return Hypervisor.open(prepared_address(host))


def open_isolated(host: Host, *, deadline_s: float) -> Isolated:
    """A connection in a process of its own, which is killed where it doesn't answer in time; the caller closes it."""
    return open_isolated_at(prepared_address(host), deadline_s=deadline_s)


def open_isolated_at(address: Address, *, deadline_s: float) -> Isolated:
    """The same with what `prepared_address` gave, for threads that must not wait for the database."""
    _require_role()
    return Isolated.open(address, deadline_s=deadline_s, keepalive_interval_s=4, keepalive_count=2)


def address_of(host: Host) -> Address:
    """The parts that `hypervisor.uri` builds a URI from; asks nobody. Raises hypervisor.errors.Invalid."""
    transport = Transport(host.transport)
    if transport is Transport.LOCAL:
        return Address(socket=host.socket)
    return Address(
        transport=transport,
        hostname=host.address,
        port=host.port,
        username=host.username if transport is Transport.SSH else "",
        credentials="" if transport is Transport.TCP else str(credentials.folder_of(host)),
    )


def prepared_address(host: Host) -> Address:
    """`address_of`, with the files it names in place, ready to be opened. Raises hypervisor.errors.AccessDenied."""
    address = address_of(host)
    if address.transport is Transport.TCP and host.insecure_since is None:
        raise AccessDenied("Nobody has allowed this host's connection without encryption.")
    if address.credentials:
        credentials.ensure(host)
    return address


def forget(host: Host) -> None:
    """Close this process's connection to `host`, if it has one."""
    with _lock:
        known = _open.pop(host.uuid, None)
    if known is not None:
        known.opener.close()


def _opener(host: Host) -> Opener:
    _require_role()
    address, trusted = address_of(host), _trust(host)
    with _lock:
        known = _open.get(host.uuid)
    if known is not None and known.serves(address, trusted):
        return known.opener
    if known is not None:
        forget(host)
    _refuse_if_down(host)
    fresh = Opener(prepared_address(host))
    fresh.open(OPEN_S)
    with _lock:
        raced = _open.setdefault(host.uuid, _Kept(fresh, trusted))
    if raced.opener is not fresh:
        fresh.close()
    return raced.opener


def _trust(host: Host) -> str:
    """What a connection to `host` rests on: one that was opened with other credentials is not used any more.

    Raises AccessDenied where the panel must not talk to it at all.
    """
    columns = ("state", "error", "gone_at", "credentials__changed_at")
    row = Host.objects.filter(pk=host.pk).values_list(*columns).first()
    if row is None or row[2] is not None:
        raise AccessDenied(f"{host.name} was removed from the panel.")
    if row[0] == HostState.BLOCKED:
        raise AccessDenied(row[1] or f"{host.name} must be looked at first.")
    return str(row[3])


def _refuse_if_down(host: Host) -> None:
    """Repeat the watcher's words instead of waiting for a host that does not answer it either."""
    error = Host.objects.filter(pk=host.pk, state=HostState.DOWN).values_list("error", flat=True).first()
    if error is not None:
        raise Unreachable(error or f"{host.name} does not answer.")


def _require_role() -> None:
    if not _role:
        raise RuntimeError("only workers and the watcher talk to hosts")
