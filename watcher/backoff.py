"""How long to wait before the next try."""

from __future__ import annotations

from secrets import SystemRandom
from typing import Final

FIRST_S: Final = 1.0
LONGEST_S: Final = 30.0
_random = SystemRandom()


class Backoff:
    """Twice as long after each failure, up to half a minute; never two hosts in step with each other."""

    def __init__(self) -> None:
        self._failures = 0

    def next_s(self) -> float:
        """The wait after one more failure."""
        longest = min(LONGEST_S, FIRST_S * 2 ** min(self._failures, 10))
        self._failures += 1
        return max(FIRST_S, _random.uniform(longest / 2, longest))

    def reset(self) -> None:
        """It worked: the next failure is the first one again."""
        self._failures = 0


def jittered(seconds: float) -> float:
    """About as long, so that what is done in turns spreads out."""
    return _random.uniform(0.9 * seconds, 1.1 * seconds)
