"""Storage and guests are read aside from everything else: what hangs there hides only that, and takes nothing down."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from typing import Any, Final, TypeAlias

import structlog

from hypervisor.errors import HypervisorError
from hypervisor.isolated import STORAGE_S, Isolated, Question

log = structlog.get_logger(__name__)

# A question that lasts longer than this is given a connection of its own: it slows all others down.
APART_S: Final = 2.0

# Asks one question after the other; is sent the answers, or has the errors thrown into it.
Reading: TypeAlias = Generator[Question[Any], Any, None]
_END: Final = object()


class Aside:
    """Runs one reading at a time, question by question, whenever its lane hears an answer."""

    def __init__(self, hypervisor: Isolated) -> None:
        self._hypervisor = hypervisor
        self._reading: Reading | None = None
        self._next: Callable[[], Reading] | None = None
        self._answer: Any = _END
        self._asked_at = 0.0
        self._slow_s = 0.0
        self.question: Question[Any] | None = None
        self._apart = False
        self.silence_told = False

    def start(self, reading: Callable[[], Reading]) -> None:
        """Begin it, after the one that is under way; of several that wait only the last is done."""
        self._next = reading

    @property
    def silent(self) -> bool:
        """Whether storage keeps us waiting for longer than it should."""
        return self._lasts_longer_than(STORAGE_S)

    def allow_for(self, slow_s: float) -> None:
        """Be so much more patient, because the line is slow; one that storage itself has slowed down does not count."""
        if self.question is None:
            self._slow_s = slow_s

    def make_way(self) -> None:
        """Keep a question that hangs from slowing the rest down. Raises HypervisorError."""
        if not self._apart and self._lasts_longer_than(APART_S):
            self._apart = True
            self._hypervisor.set_storage_apart(self._hear_of_apart)

    def go_on(self) -> None:
        """Do what can be done without waiting. Raises what the reading raises, and HypervisorError."""
        while self.question is None:
            if self._reading is None:
                if self._next is None:
                    return
                self._reading, self._next = self._next(), None
                self._answer = None
            self._step(self._reading)

    def _lasts_longer_than(self, seconds: float) -> bool:
        return self.question is not None and time.monotonic() - self._asked_at > seconds + self._slow_s

    def _step(self, reading: Reading) -> None:
        answer, self._answer = self._answer, None
        try:
            question = reading.throw(answer) if isinstance(answer, HypervisorError) else reading.send(answer)
        except StopIteration:
            self._reading = None
            return
        self.question, self._asked_at = question, time.monotonic()
        self._hypervisor.ask_later(question, self._hear)

    def _hear(self, answer: Any) -> None:
        self.question, self._answer = None, answer

    def _hear_of_apart(self, answer: HypervisorError | None) -> None:
        if answer is not None:
            log.warning("storage shares its connection with the rest", error=answer.message)
