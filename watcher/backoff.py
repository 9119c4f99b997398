"""How long to wait before the next try."""

from __future__ import annotations

from secrets import SystemRandom
from typing import Final

FIRST_S: Final = 1.0
# A host that is well again should be back within ten seconds, and a try costs a few milliseconds.
LONGEST_S: Final = 5.0
_random = SystemRandom()


class Backoff:
    """Twice as long after each failure, up to five seconds; never two hosts in step with each other."""

    def __init__(self) -> None:
        self._failures = 0

    def next_s(self, *, tried_s: float) -> float:
        """The wait after one more failure, which itself took `tried_s`: tries start so far apart, not end."""
        longest = min(LONGEST_S, FIRST_S * 2 ** min(self._failures, 10))
        self._failures += 1
        return max(FIRST_S / 2, _random.uniform(longest / 2, longest) - tried_s)

    def reset(self) -> None:
        """It worked: the next failure is the first one again."""
        self._failures = 0


def jittered(seconds: float) -> float:
    """At most as long and up to a tenth shorter, so that what is done in turns spreads out."""
    return _random.uniform(0.9 * seconds, seconds)


def anywhere(seconds: float) -> float:
    """Any time up to it, for what many began at once and shall not go on doing at once."""
    return _random.uniform(0, seconds)
