"""Workers, Redis and the database die under real operations; nothing is lost, and nothing is done twice."""

from __future__ import annotations

import random
import time
from pathlib import Path

import pytest

from operations import queue
from operations.engine import ATTEMPTS
from operations.models import Operation, OperationState
from tests.eventually import eventually
from tests.faults.harness import PROMISE_S, Crew, cut_database_lines, dead_redis, flush_redis, toys

STEPS = 3
DEADLY = 20
ONCE_EACH = [f"do {number}" for number in range(STEPS)]
FORWARD = [
    f"{step}:{moment}"
    for step in range(STEPS)
    for moment in ("before running", "after running", "before done", "after done")
]
BACKWARD = [f"{step}:{moment} undone" for step in (1, 0) for moment in ("before", "after")]


class TestWorkerKilled:
    def test_at_every_boundary_of_every_step(self, crew: Crew, tmp_path: Path) -> None:
        done, undone = toys(tmp_path, len(FORWARD)), toys(tmp_path, len(BACKWARD))
        wanted = [crew.ask(toy, fate, steps=STEPS) for toy, fate in zip(done, FORWARD, strict=True)]
        failing = {"steps": STEPS, "trouble": {"do 2": "conflict"}}
        doomed = [crew.ask(toy, fate, **failing) for toy, fate in zip(undone, BACKWARD, strict=True)]
        wanted, doomed = crew.wait(*wanted, within_s=2 * PROMISE_S), crew.wait(*doomed)

        assert all(crew.met(operation) for operation in wanted + doomed)
        assert max(crew.recovery_s(operation) for operation in wanted + doomed) < PROMISE_S
        assert {operation.state for operation in wanted} == {OperationState.SUCCEEDED}
        assert [toy.history() for toy in done] == [ONCE_EACH] * len(done)
        assert [toy.effects() for toy in done] == [list(range(STEPS))] * len(done)
        assert {operation.state for operation in doomed} == {OperationState.FAILED}
        assert {operation.left_behind for operation in doomed} == {""}
        assert [toy.effects() for toy in undone] == [[]] * len(undone)

    def test_with_all_its_children(self, crew: Crew, tmp_path: Path) -> None:
        many = toys(tmp_path, 6)
        asked = [crew.ask(toy, slow_s=0.5) for toy in many]
        _until_some_run()
        crew.kill_worker()
        crew.start_worker()
        ended = crew.wait(*asked)
        assert {operation.state for operation in ended} == {OperationState.SUCCEEDED}
        assert [toy.history() for toy in many] == [ONCE_EACH] * len(many)


class TestStop:
    def test_is_no_attempt(self, crew: Crew, tmp_path: Path) -> None:
        """As the supervisor does it: SIGTERM, and SIGKILL for what is not over when its patience is."""
        (toy,) = toys(tmp_path, 1)
        asked = crew.ask(toy, steps=1, slow_s=8)
        _until_some_run()
        crew.stop_worker()
        rows = Operation.objects.filter(pk=asked.pk)
        eventually(lambda: rows.filter(state=OperationState.RUNNING, attempts=0).exists(), within_s=7)
        crew.kill_worker()
        crew.start_worker()
        (ended,) = crew.wait(asked, within_s=2 * PROMISE_S)
        assert (ended.state, ended.attempts) == (OperationState.SUCCEEDED, 1)
        assert toy.history() == ["do 0"]


class TestQueue:
    @pytest.mark.timeout(600)
    def test_two_and_ten_messages_have_one_effect(self, crew: Crew, tmp_path: Path) -> None:
        """The first hundred are told twice, the others ten times, side by side."""
        many = toys(tmp_path, 200)
        asked = []
        for number, toy in enumerate(many):
            operation = crew.ask(toy, slow_s=0.01)
            for _ in range(1 if number < 100 else 9):
                queue.enqueue(operation.pk)
            asked.append(operation)
        ended = crew.wait(*asked, within_s=400)
        assert {(one.state, one.attempts) for one in ended} == {(OperationState.SUCCEEDED, 1)}
        assert [toy.history() for toy in many] == [ONCE_EACH] * len(many)

    def test_redis_flushed_while_fifty_wait(self, crew: Crew, tmp_path: Path) -> None:
        many = toys(tmp_path, 50)
        asked = [crew.ask(toy, slow_s=0.2) for toy in many]
        _until_some_run()
        flush_redis()
        ended = crew.wait(*asked, within_s=2 * PROMISE_S)
        assert {operation.state for operation in ended} == {OperationState.SUCCEEDED}
        assert [toy.history() for toy in many] == [ONCE_EACH] * len(many)

    def test_redis_killed_while_fifty_wait_and_back(self, crew: Crew, tmp_path: Path) -> None:
        many = toys(tmp_path, 54)
        asked = [crew.ask(toy, slow_s=0.2) for toy in many[:50]]
        _until_some_run()
        with dead_redis():
            asked += [crew.ask(toy) for toy in many[50:]]
            time.sleep(2)
        ended = crew.wait(*asked, within_s=2 * PROMISE_S)
        assert {operation.state for operation in ended} == {OperationState.SUCCEEDED}
        assert [toy.history() for toy in many] == [ONCE_EACH] * len(many)


class TestDatabase:
    def test_lines_cut_while_operations_run(self, crew: Crew, tmp_path: Path) -> None:
        many = toys(tmp_path, 30)
        asked = [crew.ask(toy, slow_s=0.3) for toy in many]
        _until_some_run()
        for _ in range(5):
            cut_database_lines()
            time.sleep(random.uniform(0.2, 1.5))
        ended = crew.wait(*asked, within_s=2 * PROMISE_S)
        assert {operation.state for operation in ended} == {OperationState.SUCCEEDED}
        assert [toy.history() for toy in many] == [ONCE_EACH] * len(many)


class TestPoison:
    def test_one_that_kills_its_workers_is_parked_and_the_others_go_on(
        self, crew: Crew, tmp_path: Path
    ) -> None:
        bad, *good = toys(tmp_path, 9)
        poison = crew.ask(bad, *["1:after running"] * DEADLY, steps=STEPS)
        others = crew.wait(*(crew.ask(toy) for toy in good))
        assert {operation.state for operation in others} == {OperationState.SUCCEEDED}

        (parked,) = crew.wait(poison, within_s=400)
        assert (parked.state, parked.parked) == (OperationState.FAILED, True)
        assert "broke off" in parked.error
        fates = (crew.fates / str(poison.pk)).read_text().splitlines()
        assert len(fates) == DEADLY - ATTEMPTS, "so many workers it took with it"
        assert bad.effects() == [], "what it had done was taken back"


def _until_some_run() -> None:
    for _ in range(300):
        if Operation.objects.filter(state=OperationState.RUNNING).exists():
            return
        time.sleep(0.1)
    pytest.fail("no worker took anything")
