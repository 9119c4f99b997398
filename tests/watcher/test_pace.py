"""How events become looks, and how long a lane waits after failures."""

from __future__ import annotations

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
from watcher.backoff import LONGEST_S, Backoff
from watcher.news import AGENT_S, BOOT_S, REBOOT_S, Awaited, News

UUID = uuid4()


def event(kind: DomainEventKind = DomainEventKind.STARTED) -> DomainEvent:
    return DomainEvent(uuid=UUID, name="web1", kind=kind, detail="")


class TestNews:
    def test_many_events_of_one_machine_are_one_look(self) -> None:
        news = News()
        for kind in (DomainEventKind.DEFINED, DomainEventKind.SUSPENDED, DomainEventKind.RESUMED):
            news.put(event(kind))

        assert news.due_s() == 0
        assert news.take_domains() == {UUID}
        assert news.take_domains() == set()
        assert news.due_s() is None

    def test_every_kind_of_news_has_its_place(self) -> None:
        news = News()
        news.put(NetworkEvent(uuid=UUID, name="default", kind=ObjectEventKind.STARTED))
        news.put(PoolEvent(uuid=UUID, name="default", kind=ObjectEventKind.REFRESHED))
        news.put(ConnectionClosed(reason="end of file"))

        assert news.due_s() == 0
        assert (news.take_networks(), news.take_pools(), news.closed) == (True, True, "end of file")
        assert (news.take_networks(), news.take_pools()) == (False, False)

    def test_guests_are_looked_at_when_their_agent_comes_and_a_while_after_a_start(self) -> None:
        news = News()
        news.put(event(DomainEventKind.STARTED))
        assert (news.take_domains(), news.take_guests()) == ({UUID}, set())
        due_s = news.due_s()
        assert due_s is not None
        assert 0 < due_s <= BOOT_S[0]
        news.put(event(DomainEventKind.AGENT))
        assert news.due_s() == 0
        assert news.take_guests() == {UUID}
        due_s = news.due_s()
        assert due_s is not None
        assert BOOT_S[0] < due_s <= BOOT_S[1]

    def test_a_guest_that_started_is_asked_a_few_times(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("watcher.news.BOOT_S", (0.0, 0.0, 0.0))
        news = News()
        news.put(event(DomainEventKind.STARTED))
        assert [news.take_guests() for _ in range(4)] == [{UUID}, {UUID}, {UUID}, set()]

        news.put(event(DomainEventKind.STARTED))
        news.put(event(DomainEventKind.STOPPED))
        assert [news.take_guests() for _ in range(2)] == [{UUID}, set()]

    def test_an_agent_that_comes_and_goes_all_the_time_is_asked_now_and_then(self) -> None:
        news = News()
        news.put(event(DomainEventKind.AGENT))
        assert news.take_guests() == {UUID}
        for _ in range(3):
            news.put(event(DomainEventKind.AGENT))

        assert news.take_guests() == set()
        due_s = news.due_s()
        assert due_s is not None
        assert AGENT_S - 1 < due_s <= AGENT_S

    @pytest.mark.parametrize("kind", [DomainEventKind.GRAPHICS, DomainEventKind.WATCHDOG])
    def test_a_viewer_that_comes_or_goes_is_no_news(self, kind: DomainEventKind) -> None:
        news = News()
        news.put(event(kind))

        assert news.due_s() is None

    def test_a_stop_waits_for_the_start_that_may_follow(self) -> None:
        news = News()
        news.put(event(DomainEventKind.STOPPED))

        assert news.take_domains() == set()
        due_s = news.due_s()
        assert due_s is not None
        assert 0 < due_s <= REBOOT_S
        time.sleep(REBOOT_S)
        assert news.take_domains() == {UUID}

    def test_a_start_ends_that_wait(self) -> None:
        news = News()
        news.put(event(DomainEventKind.STOPPED))
        news.put(event(DomainEventKind.STARTED))

        assert news.take_domains() == {UUID}


class TestAwaited:
    def test_one_with_news_does_not_make_the_others_wait(self) -> None:
        awaited = Awaited()
        awaited.add_all()
        awaited.add({UUID})

        assert awaited.take() is None
        assert awaited.take() == set()

    def test_those_with_news_are_asked_once(self) -> None:
        awaited, other = Awaited(), uuid4()
        awaited.add({UUID})
        awaited.add({UUID, other})

        assert awaited.take() == {UUID, other}
        assert awaited.take() == set()


class TestBackoff:
    def test_it_grows_from_one_second_to_five(self) -> None:
        backoff = Backoff()
        waits = [backoff.next_s(tried_s=0) for _ in range(20)]

        assert waits[0] <= 1
        assert all(0.5 <= wait <= LONGEST_S for wait in waits)
        assert all(wait >= LONGEST_S / 2 for wait in waits[6:])

    def test_the_time_that_the_try_took_counts(self) -> None:
        backoff = Backoff()
        waits = [backoff.next_s(tried_s=8) for _ in range(20)]

        assert set(waits) == {0.5}

    def test_no_two_hosts_go_in_step(self) -> None:
        one, two = Backoff(), Backoff()

        assert [one.next_s(tried_s=0) for _ in range(9)] != [two.next_s(tried_s=0) for _ in range(9)]

    def test_success_makes_the_next_failure_the_first(self) -> None:
        backoff = Backoff()
        for _ in range(10):
            backoff.next_s(tried_s=0)

        backoff.reset()

        assert backoff.next_s(tried_s=0) <= 1
