"""One open connection to one libvirt daemon."""

from types import TracebackType
from typing import Self

import libvirt

from hypervisor import events
from hypervisor.errors import Unreachable, translate
from hypervisor.uri import Address, build_uri


class Connection:
    """Opens, watches and closes; the subjects of `hypervisor.driver_*` add the calls."""

    def __init__(self, connection: libvirt.virConnect) -> None:
        self._connection = connection
        self._subscriptions: list[events.Subscription] = []

    @classmethod
    def open(cls, address: Address, *, keepalive_interval_s: int = 5, keepalive_count: int = 2) -> Self:
        """Connect, without ever asking for a password. Raises `Unreachable` or `AccessDenied`.

        A daemon that accepts and then stays silent keeps this waiting without limit.
        """

    def close(self) -> None:
        """End the connection and everything subscribed through it; closing twice is harmless."""

    def is_alive(self) -> bool:
        """Whether the connection is still good, as far as keepalive knows; asks nobody."""

    def subscribe(self, listener: events.Listener) -> None:
        """Call `listener` with every `Event` of this host until `close`.

        It runs on the event loop's thread: it must hand the event over and return at once, and must not call back
        into libvirt. An exception in it is logged and dropped.
        """

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
