"""How events become looks, and how long a lane waits after failures."""

from __future__ import annotations

import threading
import time
from uuid import uuid4

import pytest

from hypervisor.events import (
    ConnectionClosed,
    DomainEvent,
    DomainEventKind,
    NetworkEvent,
    ObjectEventKind,
    PoolEvent,
)
from watcher.backoff import Backoff
from watcher.inbox import Inbox

UUID = uuid4()


def event(kind: DomainEventKind = DomainEventKind.STARTED) -> DomainEvent:
    return DomainEvent(uuid=UUID, name="web1", kind=kind, detail="")


class TestInbox:
    def test_many_events_of_one_machine_are_one_look(self) -> None:
        inbox = Inbox()
        for kind in (DomainEventKind.DEFINED, DomainEventKind.STARTED, DomainEventKind.RESUMED):
            inbox.put(event(kind))

        assert inbox.take(0).domains == {UUID}
        assert inbox.take(0).domains == set()

    def test_every_kind_of_news_has_its_place(self) -> None:
        inbox = Inbox()
        inbox.put(NetworkEvent(uuid=UUID, name="default", kind=ObjectEventKind.STARTED))
        inbox.put(PoolEvent(uuid=UUID, name="default", kind=ObjectEventKind.REFRESHED))
        inbox.put(ConnectionClosed(reason="end of file"))

        batch = inbox.take(0)

        assert (batch.networks, batch.pools, batch.closed) == (True, True, "end of file")

    @pytest.mark.parametrize(
        "kind", [DomainEventKind.GRAPHICS, DomainEventKind.AGENT, DomainEventKind.WATCHDOG]
    )
    def test_a_viewer_that_comes_or_goes_wakes_nobody(self, kind: DomainEventKind) -> None:
        inbox = Inbox()
        inbox.put(event(kind))

        assert inbox.take(0).domains == set()

    def test_news_ends_the_wait(self) -> None:
        inbox = Inbox()
        threading.Timer(0.1, inbox.put, [event()]).start()
        began = time.monotonic()

        assert inbox.take(10).domains == {UUID}
        assert time.monotonic() - began < 5

    def test_an_interrupted_wait_ends_with_nothing(self) -> None:
        inbox = Inbox()
        threading.Timer(0.1, inbox.interrupt).start()

        assert inbox.take(10).domains == set()


class TestBackoff:
    def test_it_grows_from_one_second_to_half_a_minute(self) -> None:
        backoff = Backoff()
        waits = [backoff.next_s() for _ in range(20)]

        assert waits[0] == 1
        assert all(1 <= wait <= 30 for wait in waits)
        assert all(wait >= 15 for wait in waits[6:])

    def test_success_makes_the_next_failure_the_first(self) -> None:
        backoff = Backoff()
        for _ in range(10):
            backoff.next_s()

        backoff.reset()

        assert backoff.next_s() == 1
