"""Keeps the lease of a running operation while its step sits in one long call, and hands its attempt back at a stop."""

from __future__ import annotations

import threading
from types import TracebackType

import structlog
from django.db import DatabaseError, InterfaceError, connection

from operations import journal, stopping
from operations.models import Operation

log = structlog.get_logger(__name__)


class Heartbeat:
    """A context manager; its thread has a database connection of its own and ends with the block."""

    def __init__(self, operation: Operation) -> None:
        self._running = operation
        self._operation = Operation(pk=operation.pk, epoch=operation.epoch)
        self._every_s = journal.LEASE.total_seconds() / 3
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._beat, name=f"lease {operation.pk}", daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()

    def _beat(self) -> None:
        try:
            while not self._stop.wait(self._every_s):
                self._renew()
        except journal.LeaseLost:
            pass  # the main thread learns it at its next write
        finally:
            connection.close()

    def _renew(self) -> None:
        try:
            journal.renew(self._operation)
            if stopping.told():
                self._operation.attempts = self._running.attempts
                journal.hand_back(self._operation)
        except (DatabaseError, InterfaceError) as error:
            # A cut line or a locked file: with a new connection the next beat may still be in time.
            log.warning("could not renew the lease", error=str(error))
            connection.close()
