"""Opens one connection on a thread of its own, which lives as long as the connection.

Two reasons for the thread. `virConnectOpen` has no deadline, so whoever waits for it must be able to go on without it.
And ssh, which libvirt starts, is made to die with the thread that started it (PR_SET_PDEATHSIG, prctl(2)): so it can
never be left over.
"""

import contextlib
import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from hypervisor.driver import Hypervisor
from hypervisor.errors import HypervisorError, Unreachable
from hypervisor.uri import Address

IDLE_S: Final = 600.0
_END_S: Final = 1.0

_left_behind: set[threading.Thread] = set()


def left_behind() -> int:
    """How many threads of this process still wait for a host that was given up; only a new process ends those."""
    _left_behind.difference_update([thread for thread in _left_behind if not thread.is_alive()])
    return len(_left_behind)


class Opener:
    """One connection: `open` it once, `lend` it any number of times. It closes by itself when nobody wants it."""

    def __init__(self, address: Address, *, idle_s: float = IDLE_S) -> None:
        self.address = address
        self._idle_s = idle_s
        self._hypervisor: Hypervisor | None = None
        self._failure: Exception | None = None
        self._opened = threading.Event()
        self._over = threading.Event()
        self._lock = threading.Lock()
        self._lent = 0
        self._used_at = time.monotonic()
        self._thread = threading.Thread(target=self._run, name=f"host {address.hostname}", daemon=True)

    def open(self, deadline_s: float) -> None:
        """Connect. Raises what `Hypervisor.open` raises, and Unreachable past the deadline."""
        self._thread.start()
        if not self._opened.wait(deadline_s):
            self.close()
            self._end_children()
            # The end of its ssh ends the wait; a daemon that fell silent while it signed us in keeps the thread.
            self._thread.join(_END_S)
            if self._thread.is_alive():
                _left_behind.add(self._thread)
            raise Unreachable("The host does not answer.")
        if self._failure is not None:
            raise self._failure

    def close(self) -> None:
        """End the connection and the thread as soon as nobody uses it; returns at once."""
        self._over.set()

    @contextlib.contextmanager
    def lend(self) -> Iterator[Hypervisor]:
        """The connection, kept open meanwhile. Raises Unreachable if it is closed."""
        with self._lock:
            if self._hypervisor is None or self._over.is_set():
                raise Unreachable("The connection is closed.")
            self._lent += 1
        try:
            yield self._hypervisor
        finally:
            with self._lock:
                self._lent -= 1
                self._used_at = time.monotonic()

    @property
    def alive(self) -> bool:
        """Whether the connection is still good, as far as keepalive knows."""
        return self._hypervisor is not None and not self._over.is_set() and self._hypervisor.is_alive()

    def _run(self) -> None:
        try:
            self._hypervisor = Hypervisor.open(self.address)
        except (HypervisorError, RuntimeError) as error:
            self._failure = error
            return
        finally:
            self._opened.set()
        while not self._idle():
            self._over.wait(self._idle_s / 10)
            if self._over.is_set():
                time.sleep(_END_S / 10)
        self._hypervisor.close()

    def _idle(self) -> bool:
        """Whether it is time to close; from then on nobody is lent it any more."""
        with self._lock:
            if self._lent:
                return False
            if self._over.is_set() or time.monotonic() - self._used_at > self._idle_s:
                self._over.set()
                return True
            return False

    def _end_children(self) -> None:
        """Kill what this thread has started: libvirt's ssh."""
        children = Path(f"/proc/self/task/{self._thread.native_id}/children")
        with contextlib.suppress(OSError):
            for pid in children.read_text().split():
                os.kill(int(pid), signal.SIGKILL)
