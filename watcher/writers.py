"""The watcher's way to the database: a few threads with a connection each, however many lanes there are.

A connection of its own for each of a hundred lanes would take more memory than all the rest of the watcher, and on
PostgreSQL more of its connections than there are.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from typing import Any, Final, ParamSpec, TypeVar

from django.db import close_old_connections, connection

Result = TypeVar("Result")
Parameters = ParamSpec("Parameters")

NUMBER: Final = 4


class Closed(Exception):
    """The watcher ends; nothing is written any more."""


class Writers:
    """Runs from the start; `close` ends it."""

    def __init__(self) -> None:
        self._todo: SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None] = SimpleQueue()
        self._closing = threading.Lock()
        self._closed = False
        self._threads = [
            threading.Thread(target=self._work, name=f"writer {number}", daemon=True)
            for number in range(NUMBER)
        ]
        for thread in self._threads:
            thread.start()

    def do(self, deed: Callable[[], Result]) -> Result:
        """Run `deed` on one of the threads, in turn; gives what it gives and raises what it raises, or Closed."""
        done: Future[Result] = Future()
        with self._closing:
            if self._closed:
                raise Closed
            self._todo.put((done, deed))
        return done.result()

    def close(self) -> None:
        """End when all is done that was asked for."""
        with self._closing:
            self._closed = True
            for _ in self._threads:
                self._todo.put(None)
        for thread in self._threads:
            thread.join()

    def _work(self) -> None:
        while (job := self._todo.get()) is not None:
            done, deed = job
            try:
                done.set_result(deed())
            except BaseException as error:  # noqa: BLE001 - it is raised again where `do` was called
                done.set_exception(error)
            close_old_connections()
        connection.close()
