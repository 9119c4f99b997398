"""Keeps one lane running for each host that is this watcher's."""

from __future__ import annotations

import threading
import time
from typing import Final
from uuid import UUID

import structlog
from django.db import Error, close_old_connections, connection

from hosts import credentials
from watcher.claims import Claims, Held
from watcher.lane import Lane
from watcher.pulses import Pulses
from watcher.writers import Writers

log = structlog.get_logger(__name__)

LOOK_S: Final = 2.0
STOP_S: Final = 3.0
# On machines that only watch nobody else throws away the keys of removed hosts.
TIDY_S: Final = 60.0


class Watch:
    """Hosts that are added, changed or removed are noticed within LOOK_S seconds; so are other watchers."""

    def __init__(self, *, remote_only: bool = False) -> None:
        self._claims = Claims(remote_only=remote_only)
        self._lanes: dict[UUID, Lane] = {}
        self._ending: list[Lane] = []
        self._stopping = threading.Event()
        self._tidied_at = -TIDY_S

    def run(self) -> None:
        """Watch until `stop`."""
        writers, pulses = Writers(), Pulses(self._claims)
        try:
            while not self._stopping.is_set():
                self._look(writers, pulses)
                self._stopping.wait(LOOK_S)
        finally:
            self._end_all()
            pulses.close()
            self._release()
            writers.close()

    def stop(self) -> None:
        """Let `run` return; may be called from a signal handler."""
        self._stopping.set()

    def _look(self, writers: Writers, pulses: Pulses) -> None:
        try:
            self._keep(self._claims.glance(), writers, pulses)
            self._tidy()
        except Exception:
            log.exception("the look failed; the lanes go on while their leases last")
            connection.close()
        close_old_connections()

    def _keep(self, held: dict[UUID, Held], writers: Writers, pulses: Pulses) -> None:
        """See that the lanes are those of the hosts that we hold."""
        for uuid, lane in list(self._lanes.items()):
            if uuid not in held or held[uuid].version != lane.held.version or not lane.alive:
                self._end(uuid)
        for uuid, one in held.items():
            if uuid not in self._lanes:
                self._lanes[uuid] = Lane(one, self._claims, writers, pulses)
                self._lanes[uuid].start()
        self._ending = [lane for lane in self._ending if lane.alive]

    def _tidy(self) -> None:
        if time.monotonic() - self._tidied_at >= TIDY_S:
            self._tidied_at = time.monotonic()
            credentials.wipe_unwanted()

    def _end(self, uuid: UUID) -> None:
        lane = self._lanes.pop(uuid)
        lane.stop()
        self._ending.append(lane)

    def _end_all(self) -> None:
        for uuid in list(self._lanes):
            self._end(uuid)
        until = time.monotonic() + STOP_S
        for lane in self._ending:
            lane.join(max(0.0, until - time.monotonic()))

    def _release(self) -> None:
        try:
            self._claims.release()
        except Error:
            log.exception("the hosts go to others when their leases run out")
        connection.close()
