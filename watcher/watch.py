"""Keeps one lane per host running, and ends the process where that can't be done from inside."""

from __future__ import annotations

import threading
from typing import Final
from uuid import UUID

import structlog
from django.db import Error, connection

from hosts.connections import address_of
from hosts.inventory import record_lost
from hosts.models import Host
from hypervisor import events
from watcher.lane import Lane

log = structlog.get_logger(__name__)

LOOK_S: Final = 2.0
# A call on an open connection is ended by keepalive after 15 s; what takes longer is an answer to connecting.
STUCK_S: Final = 18.0
REPLACE_S: Final = 60.0
# A thread stuck in libvirt can't be ended, only left behind. Past this many a new process is the better cure.
LEFT_BEHIND: Final = 20
STOP_S: Final = 3.0


class CannotGoOn(Exception):
    """Only a new process helps; the message says why."""


class Watch:
    """Lanes for all present hosts; hosts that are added, moved or removed are noticed within LOOK_S seconds."""

    def __init__(self) -> None:
        self._lanes: dict[UUID, Lane] = {}
        self._reported: set[UUID] = set()
        self._left_behind: list[Lane] = []
        self._stopping = threading.Event()

    def run(self) -> None:
        """Watch until `stop`. Raises CannotGoOn."""
        events.ensure_loop()
        try:
            while not self._stopping.is_set():
                self._look()
                self._stopping.wait(LOOK_S)
        finally:
            self._end_lanes()
            connection.close()

    def stop(self) -> None:
        """Let `run` return; may be called from a signal handler."""
        self._stopping.set()

    def _look(self) -> None:
        if not events.loop_alive():
            raise CannotGoOn("libvirt's event loop does not turn: no event and no keepalive gets through.")
        try:
            hosts = {host.uuid: host for host in Host.objects.present()}
            self._replace_stuck(hosts)
        except Error:
            log.exception("the database failed; the lanes go on as they are")
            connection.close()
            return
        for uuid in self._lanes.keys() - hosts.keys():
            self._end(uuid)
        for uuid, host in hosts.items():
            if uuid in self._lanes and self._lanes[uuid].address != address_of(host):
                self._end(uuid)
            if uuid not in self._lanes:
                self._lanes[uuid] = Lane(host)
                self._lanes[uuid].start()

    def _replace_stuck(self, hosts: dict[UUID, Host]) -> None:
        """Say which hosts don't answer at all, and give them a new lane after a while."""
        for uuid, lane in list(self._lanes.items()):
            if lane.stuck_s < STUCK_S:
                self._reported.discard(uuid)
                continue
            if uuid in hosts and uuid not in self._reported:
                log.warning("host hangs", host=lane.host.name)
                record_lost(hosts[uuid], "libvirtd on this host accepts connections but does not answer.")
                self._reported.add(uuid)
            if lane.stuck_s >= REPLACE_S:
                self._end(uuid)
        self._left_behind = [lane for lane in self._left_behind if lane.alive]
        if len(self._left_behind) > LEFT_BEHIND:
            raise CannotGoOn(f"{len(self._left_behind)} connections hang and can't be ended from inside.")

    def _end(self, uuid: UUID) -> None:
        lane = self._lanes.pop(uuid)
        self._reported.discard(uuid)
        lane.stop()
        self._left_behind.append(lane)

    def _end_lanes(self) -> None:
        for uuid in list(self._lanes):
            self._end(uuid)
        for lane in self._left_behind:
            lane.join(STOP_S / len(self._left_behind))
