"""A bad wire: passes Ethernet frames on between two network interfaces, late, and not all of them.

    python -m tests.lab.wire ONE OTHER DELAY_MS LOSS_PERCENT

Makes both as TAP devices and runs until it is killed. The delay is that of one direction. In our own program, as not
every kernel has the scheduler that does the same (netem), and none of them needs a module for this.
"""

from __future__ import annotations

import fcntl
import os
import random
import select
import struct
import sys
import time
from collections import deque
from typing import Final

# <linux/if_tun.h>: the request that names the device, and frames without a header of their own.
_TUNSETIFF: Final = 0x400454CA
_IFF_TAP: Final = 0x0002
_IFF_NO_PI: Final = 0x1000
_FRAME_LIMIT: Final = 65536
# Like a real line, it holds only so much.
_QUEUE_LIMIT: Final = 20_000


def main() -> None:
    """Read the command line, make the devices, relay."""
    one, other, delay_ms, loss_percent = sys.argv[1:]
    relay(open_tap(one), open_tap(other), delay_s=float(delay_ms) / 1000, loss=float(loss_percent) / 100)


def open_tap(name: str) -> int:
    """A new TAP device in this process's network namespace; it goes away with the file descriptor."""
    tap = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(tap, _TUNSETIFF, struct.pack("16sH22x", name.encode(), _IFF_TAP | _IFF_NO_PI))
    return tap


def relay(one: int, other: int, *, delay_s: float, loss: float) -> None:
    """For ever: what is read on one end is written to the other `delay_s` seconds later, unless lost."""
    peers = {one: other, other: one}
    line: deque[tuple[float, int, bytes]] = deque()
    poll = select.poll()
    for end in peers:
        poll.register(end, select.POLLIN)
    while True:
        wait_ms = max(0.0, 1000 * (line[0][0] - time.monotonic())) if line else None
        for end, _ in poll.poll(wait_ms):
            frame = os.read(end, _FRAME_LIMIT)
            if random.random() >= loss and len(line) < _QUEUE_LIMIT:  # noqa: S311  (nothing secret about it)
                line.append((time.monotonic() + delay_s, peers[end], frame))
        while line and line[0][0] <= time.monotonic():
            _, end, frame = line.popleft()
            try:
                os.write(end, frame)
            except OSError:  # the interface is down, or its queue full: the frame is lost
                continue


if __name__ == "__main__":
    main()
