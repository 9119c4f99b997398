"""For what happens a moment later, in another thread or process."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

Truth = TypeVar("Truth")


def eventually(look: Callable[[], Truth | None], *, within_s: float) -> Truth:
    """What `look` gives as soon as it is true. Fails after `within_s` seconds."""
    deadline = time.monotonic() + within_s
    while not (seen := look()):
        assert time.monotonic() < deadline, f"not within {within_s} s"
        time.sleep(0.02)
    return seen
