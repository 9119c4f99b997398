"""Writes down what the pulses of a second found, all lanes' together: there are more of these than of anything else.

A lane hands its pulse in and goes on. One that is lost to a failure is made good by the next, seconds later.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import structlog
from django.db import InterfaceError, OperationalError, close_old_connections, connection, transaction

import hosts.inventory
import monitoring.inventory
from hosts.inventory import Contact
from hypervisor.stats import HostStats
from monitoring.inventory import Sample
from watcher.claims import Claims, Held

log = structlog.get_logger(__name__)

# A hundred hosts are a transaction a second this way instead of twenty, and one round of hints.
GATHER_S: Final = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Pulse:
    """What one host said: that it is there, and from the second time on what its machines used."""

    held: Held
    contact: Contact | None
    before: HostStats | None
    now: HostStats


class Pulses:
    """Runs from the start; `close` ends it, and what nobody wrote by then is dropped."""

    def __init__(self, claims: Claims) -> None:
        self._claims = claims
        self._lock = threading.Lock()
        self._waiting: dict[int, Pulse] = {}
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="pulses", daemon=True)
        self._thread.start()

    def put(self, pulse: Pulse) -> None:
        """Have it written within about a second. Of several of one host that wait the last is written."""
        key = pulse.held.host.pk
        with self._lock:
            earlier = self._waiting.get(key)
            if earlier is not None and pulse.contact is None:
                pulse = replace(pulse, contact=earlier.contact)
            self._waiting[key] = pulse

    def close(self) -> None:
        """End."""
        self._closing.set()
        self._thread.join()

    def write(self) -> None:
        """Write what waits."""
        with self._lock:
            pulses = [self._waiting[key] for key in sorted(self._waiting)]
            self._waiting.clear()
        if not pulses:
            return
        try:
            self._write(pulses)
        except (OperationalError, InterfaceError) as error:
            log.warning("pulses are lost: the database does not answer", error=str(error), hosts=len(pulses))
        except Exception:
            log.exception("pulses not written together; each is written by itself")
            for pulse in pulses:
                self._write_alone(pulse)

    def _run(self) -> None:
        while not self._closing.wait(GATHER_S):
            self.write()
            close_old_connections()
        connection.close()

    def _write(self, pulses: Sequence[Pulse]) -> None:
        """All in a few statements. What is not ours any more is dropped: its lane is about to end."""
        with transaction.atomic():
            ours = self._claims.still_ours([pulse.held for pulse in pulses])
            there = [pulse for pulse in pulses if pulse.held.host.pk in ours]
            monitoring.inventory.record_usages(
                [Sample(one.held.host, one.before, one.now) for one in there if one.before is not None]
            )
            hosts.inventory.record_contacts(
                {one.held.host: one.contact for one in there if one.contact is not None}
            )

    def _write_alone(self, pulse: Pulse) -> None:
        try:
            self._write([pulse])
        except Exception:
            log.exception("a pulse is lost", host=pulse.held.host.name)
