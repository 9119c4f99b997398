"""For what happens a moment later, in another thread or process."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

Truth = TypeVar("Truth")

# Looked for often at first, for some measure how long it took; then less and less, for to look costs as well.
SOON_S, SELDOM_S, SLOWING = 0.02, 0.25, 1.2


def eventually(look: Callable[[], Truth | None], *, within_s: float) -> Truth:
    """What `look` gives as soon as it is true. Fails after `within_s` seconds."""
    deadline = time.monotonic() + within_s
    pause = SOON_S
    while not (seen := look()):
        assert time.monotonic() < deadline, f"not within {within_s} s"
        time.sleep(pause)
        pause = min(pause * SLOWING, SELDOM_S)
    return seen
