"""What a step is given while it runs."""

from __future__ import annotations

import time
from typing import Any

from operations import journal
from operations.models import Operation

PROGRESS_EVERY_S = 0.5


class Cancelled(Exception):
    """A person asked for the operation to stop."""


class Run:
    """One attempt at one operation. `params` are those it was submitted with."""

    def __init__(self, operation: Operation, *, heed_cancel: bool = True) -> None:
        self.operation = operation
        self.params: dict[str, Any] = operation.params
        self.heed_cancel = heed_cancel
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
        journal.write(
            self.operation, progress=round(min(max(fraction, 0.0), 1.0) * 100), message=message[:255]
        )
        journal.tell(self.operation.pk)

    def check_cancelled(self) -> None:
        """Raise Cancelled where a person asked for it and there still is a way back."""
        if self.heed_cancel and journal.cancel_requested(self.operation):
            raise Cancelled
