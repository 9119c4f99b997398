"""One open connection to one libvirt daemon."""

import contextlib
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Final, Self

import libvirt

from hypervisor import events, transport_errors
from hypervisor.errors import AlreadyExists, AlreadyInState, HypervisorError, Refused, Unreachable
from hypervisor.knock import knock
from hypervisor.translation import translate
from hypervisor.uri import Address, Transport, build_uri

OPEN_S: Final = 8.0


class Connection:
    """Opens, watches and closes; the subjects of `hypervisor.driver_*` add the calls."""

    def __init__(self, connection: libvirt.virConnect) -> None:
        self._connection = connection
        self._subscription: events.Subscription | None = None
        self._closed = False

    @classmethod
    def open(cls, address: Address, *, keepalive_interval_s: int = 5, keepalive_count: int = 2) -> Self:
        """Connect, without ever asking for a password. Raises `Unreachable`, `AccessDenied` or `NotWhoItWas`.

        A daemon that is silent from the start is found out within `OPEN_S`. One that falls silent while libvirt signs
        in, and a local one whose socket was left to libvirt, keeps this waiting without limit.
        """
        events.ensure_loop()
        if address.transport is not Transport.SSH and (address.socket or address.hostname):
            knock(address, deadline_s=OPEN_S)
        try:
            with translate():
                connection = libvirt.openAuth(build_uri(address), [[], _never_ask, None], 0)
        except HypervisorError as error:
            raise _why_not_open(address, error) from error
        opened = cls(connection)
        try:
            with translate():
                connection.setKeepAlive(keepalive_interval_s, keepalive_count)
        except HypervisorError:
            opened.close()
            raise
        return opened

    def close(self) -> None:
        """End the connection and the subscription made through it; closing twice is harmless."""
        if self._closed:
            return
        self._closed = True
        if self._subscription is not None:
            self._subscription.cancel()
        with contextlib.suppress(libvirt.libvirtError):
            self._connection.close()

    def is_alive(self) -> bool:
        """Whether the connection is still good, as far as keepalive knows; asks nobody."""
        if self._closed:
            return False
        try:
            return bool(self._connection.isAlive())
        except libvirt.libvirtError:
            return False

    def subscribe(self, listener: events.Listener) -> None:
        """Call `listener` with every `Event` of this host until `close`; once per connection.

        It runs on the event loop's thread: it must hand the event over and return at once, and must not call back
        into libvirt. An exception in it is logged and dropped.
        """
        if self._subscription is not None:
            raise RuntimeError("This connection has a listener already.")
        with translate():
            self._subscription = events.Subscription(self._connection, listener)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


@contextlib.contextmanager
def unless_so_already(is_so: Callable[[], bool]) -> Iterator[None]:
    """Turn a failure into `AlreadyInState` if the object already is what it was asked to become.

    libvirt has one error code for every wrong state and tells them apart in prose, translated: so we look. A domain
    that just then goes off by itself gives yet another error.
    """
    try:
        yield
    except HypervisorError as failure:
        if type(failure) in (HypervisorError, Refused) and is_so():
            raise AlreadyInState(failure.message, code=failure.code, domain=failure.domain) from failure
        raise


@contextlib.contextmanager
def unless_taken(is_taken: Callable[[], bool]) -> Iterator[None]:
    """Turn libvirt's general failure into `AlreadyExists` if the name or UUID belongs to another object."""
    try:
        yield
    except HypervisorError as failure:
        if type(failure) is HypervisorError and is_taken():
            raise AlreadyExists(failure.message, code=failure.code, domain=failure.domain) from failure
        raise


def _why_not_open(address: Address, error: HypervisorError) -> HypervisorError:
    if address.transport is Transport.SSH and (known := transport_errors.read(error.message)):
        return known
    if type(error) is HypervisorError:
        return Unreachable(error.message, code=error.code, domain=error.domain)
    return error


def _never_ask(_credentials: list[list[object]], _opaque: None) -> int:
    return -1
