"""What a step is given while it runs."""

from __future__ import annotations

import time
from typing import Any

from operations import journal
from operations.models import Operation

PROGRESS_EVERY_S = 0.5


class Cancelled(Exception):
    """A person asked for the operation to stop."""


class Later(Exception):  # noqa: N818 (no error: nothing went wrong)
    """Raised by a step that waits for something else: the worker is given back, and the step begins again later.

    Where it waits for parts of the operation, `parts` is how many it left at work: it goes on as soon as one ends.
    """

    def __init__(self, *, after_s: float, message: str, parts: int = 0) -> None:
        super().__init__(message)
        self.after_s = after_s
        self.message = message
        self.parts = parts


class Run:
    """One attempt at one operation. `params` are those it was submitted with.

    The current step is the part of the operation from `start` on that is `share` long, both as fractions of 1.
    """

    def __init__(self, operation: Operation, *, start: float = 0.0, share: float = 1.0) -> None:
        self.operation = operation
        self.params: dict[str, Any] = operation.params
        self._start = start
        self._share = share
        self._said = 0.0

    def log(self, text: str) -> None:
        """Say something for people to read later."""
        journal.say(self.operation, text)

    def progress(self, fraction: float, message: str = "") -> None:
        """Tell how far the current step is (0 to 1). Call it as often as you like; also raises Cancelled, LeaseLost."""
        now = time.monotonic()
        if now - self._said < PROGRESS_EVERY_S:
            return
        self._said = now
        self.check_cancelled()
        journal.write(self.operation, progress=self.percent(fraction), message=message[:255])
        journal.tell(self.operation)

    def keep(self, **values: Any) -> None:
        """Remember something for the attempts to come, beside what the operation was submitted with."""
        self.params = {**self.params, **values}
        journal.write(self.operation, params=self.params)

    def commit(self) -> bool:
        """Pass the point of no return in the middle of a step. False where a person asked to cancel before."""
        return journal.commit(self.operation)

    def percent(self, fraction: float) -> int:
        """How far the whole operation is when the current step is that far."""
        return round(100 * (self._start + self._share * min(max(fraction, 0.0), 1.0)))

    def check_cancelled(self) -> None:
        """Raise Cancelled where a person asked for it and there still is a way back."""
        if self.operation.committed or self.operation.undoing:
            return
        if journal.cancel_requested(self.operation):
            raise Cancelled
