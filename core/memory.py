"""Memory that loading a program leaves behind."""

from __future__ import annotations

import ctypes
import threading
from contextlib import suppress
from typing import Final

# By then a process has loaded what it needs, also what it loads with its first work.
SETTLED_S: Final = 20.0


def give_back_when_settled() -> None:
    """Once the process has settled, return freed memory to the system: 4 to 14 MB in each.

    glibc keeps what importing modules freed until malloc_trim(3); with a C library without that, nothing happens.
    """
    timer = threading.Timer(SETTLED_S, _give_back)
    timer.daemon = True
    timer.start()


def _give_back() -> None:
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
