"""The watcher's way to the database: what is asked for is done, and nobody waits for what never will be."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from watcher.writers import NUMBER, Closed, Writers


def test_gives_what_the_deed_gives_and_raises_what_it_raises() -> None:
    writers = Writers()
    try:
        assert writers.do(lambda: 42) == 42
        with pytest.raises(ZeroDivisionError):
            writers.do(lambda: 1 // 0)
    finally:
        writers.close()


def test_the_end_waits_for_what_is_under_way() -> None:
    writers = Writers()
    held, begun = threading.Event(), threading.Semaphore(0)

    def deed() -> bool:
        begun.release()
        return held.wait(10)

    with ThreadPoolExecutor() as askers:
        asked = [askers.submit(writers.do, deed) for _ in range(NUMBER)]
        for _ in asked:
            assert begun.acquire(timeout=10)
        closing = askers.submit(writers.close)
        with pytest.raises(TimeoutError):
            closing.result(timeout=0.2)
        held.set()

        assert [one.result(timeout=10) for one in asked] == [True] * NUMBER
        closing.result(timeout=10)


def test_who_comes_after_the_end_is_told() -> None:
    """A lane that hung in a call of its host while the watcher ended."""
    writers = Writers()
    writers.close()

    with pytest.raises(Closed):
        writers.do(lambda: None)
