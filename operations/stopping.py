"""Whether the worker was told to stop: one byte that its parent shares with the children it forks.

What a child is at then goes on, until its end or until the supervisor's patience is over.
"""

from __future__ import annotations

import mmap

_told: bytearray | mmap.mmap = bytearray(1)


def share() -> None:
    """In the parent, before it forks any child: from now on they see what it is told."""
    global _told  # noqa: PLW0603 (one for each worker: a parent may itself have been forked, beside others)
    _told = mmap.mmap(-1, 1)


def tell() -> None:
    """In the parent; also good inside a signal's handler."""
    _told[0] = 1


def told() -> bool:
    """In parent and children."""
    return _told[0] == 1
