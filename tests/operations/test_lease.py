"""Who holds an operation, and that nobody else can write to it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from itertools import chain
from typing import Any
from uuid import UUID

import pytest
from django.db import connection

from operations import engine, journal, stopping
from operations.models import Operation, OperationState, StepState
from tests.operations.conftest import carry_out, let_time_pass
from tests.operations.toys import Toy

THREADS = 8


def at_once(call: Callable[[], Any], *, each: int = 1) -> list[Any]:
    """What `call` gives, or raises, in threads that all begin at the same moment; each calls it so many times."""
    start = threading.Barrier(THREADS)

    def one(_: int) -> list[Any]:
        start.wait()
        try:
            return [_outcome(call) for _ in range(each)]
        finally:
            connection.close()

    with ThreadPoolExecutor(THREADS) as pool:
        return list(chain.from_iterable(pool.map(one, range(THREADS))))


def _outcome(call: Callable[[], Any]) -> Any:
    try:
        return call()
    except Exception as error:  # noqa: BLE001 (the test looks at it)
        return error


class TestClaim:
    def test_one_of_many_gets_it(self, toy: Toy) -> None:
        operation = toy.ask()
        claims = at_once(lambda: journal.claim(operation.pk))
        assert [claim.pk for claim in claims if claim is not None] == [operation.pk]

    def test_many_messages_have_one_effect(self, toy: Toy) -> None:
        operation = toy.ask(slow_s=0.05)
        assert at_once(lambda: engine.execute(operation.pk)) == [None] * THREADS
        assert toy.history() == ["do 0", "do 1", "do 2"]

    def test_what_does_not_exist_is_nobodys(self, toy: Toy) -> None:
        assert journal.claim(UUID(int=0)) is None


class TestFence:
    @pytest.mark.parametrize(
        "act",
        [
            lambda operation, row: journal.write(operation, progress=50),
            lambda operation, row: journal.mark(operation, row, StepState.DONE),
            lambda operation, row: journal.say(operation, "hello"),
            lambda operation, row: journal.commit(operation),
            lambda operation, row: journal.put_back(operation, after=timedelta(0), message=""),
            lambda operation, row: journal.finish(operation, OperationState.SUCCEEDED),
        ],
        ids=["write", "mark", "say", "commit", "put back", "finish"],
    )
    def test_who_was_overtaken_cannot(self, toy: Toy, act: Callable[..., Any]) -> None:
        slow = journal.claim(toy.ask().pk)
        assert slow is not None
        row = journal.lay_out(slow, ["Put 0"])[0]
        let_time_pass(slow)
        fast = journal.claim(slow.pk)
        assert fast is not None
        before = Operation.objects.values().get(), list(fast.steps.values()), fast.log.count()
        with pytest.raises(journal.LeaseLost):
            act(slow, row)
        assert before == (Operation.objects.values().get(), list(fast.steps.values()), fast.log.count())


@pytest.fixture
def stops_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    """The worker is told to stop as soon as it has begun, and its thread soon looks."""
    monkeypatch.setattr(journal, "LEASE", timedelta(seconds=0.3))
    answers = iter([False])
    monkeypatch.setattr(stopping, "told", lambda: next(answers, True))


class TestHeartbeat:
    def test_hands_the_attempt_back_when_the_panel_stops(self, toy: Toy, stops_meanwhile: None) -> None:
        operation = carry_out(toy.ask(steps=1, slow_s=1, trouble={"after 0": "died"}, once=True))
        assert (operation.state, operation.attempts) == (OperationState.RUNNING, 0)

    def test_nothing_more_is_begun_where_the_worker_is_to_stop(
        self, toy: Toy, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(stopping, "told", lambda: True)
        operation = carry_out(toy.ask())
        assert (operation.state, operation.attempts, toy.history()) == (OperationState.QUEUED, 0, [])

    def test_a_failure_counts_although_the_attempt_was_handed_back(
        self, toy: Toy, stops_meanwhile: None
    ) -> None:
        operation = carry_out(toy.ask(steps=1, slow_s=1, trouble={"after 0": "unreachable"}, once=True))
        assert (operation.state, operation.attempts) == (OperationState.QUEUED, 1)

    def test_holds_the_lease_through_a_long_step(self, toy: Toy, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(journal, "LEASE", timedelta(seconds=0.6))
        operation = toy.ask(steps=1, slow_s=2)

        def work() -> None:
            carry_out(operation)
            connection.close()

        worker = threading.Thread(target=work)
        worker.start()
        stolen = []
        while worker.is_alive():
            worker.join(0.1)
            stolen.append(journal.claim(operation.pk))
        assert set(stolen) == {None}
        operation.refresh_from_db()
        assert (operation.state, operation.attempts) == (OperationState.SUCCEEDED, 1)
