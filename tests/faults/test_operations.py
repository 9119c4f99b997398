"""Workers, Redis and the database die under real operations; nothing is lost, and nothing is done twice."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from operations import queue
from operations.models import Operation, OperationState
from tests.faults.harness import PROMISE_S, Crew, cut_database_lines, dead_redis, flush_redis, toys

STEPS = 3
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


class TestQueue:
    def test_ten_messages_have_one_effect(self, crew: Crew, tmp_path: Path) -> None:
        (toy,) = toys(tmp_path, 1)
        operation = crew.ask(toy, slow_s=0.2)
        for _ in range(9):
            queue.enqueue(operation.pk)
        (operation,) = crew.wait(operation)
        assert (operation.state, operation.attempts) == (OperationState.SUCCEEDED, 1)
        assert toy.history() == ONCE_EACH

    def test_redis_flushed_while_twenty_wait(self, crew: Crew, tmp_path: Path) -> None:
        many = toys(tmp_path, 20)
        asked = [crew.ask(toy, slow_s=0.5) for toy in many]
        _until_some_run()
        flush_redis()
        ended = crew.wait(*asked, within_s=2 * PROMISE_S)
        assert {operation.state for operation in ended} == {OperationState.SUCCEEDED}
        assert [toy.history() for toy in many] == [ONCE_EACH] * len(many)

    def test_redis_killed_and_back(self, crew: Crew, tmp_path: Path) -> None:
        many = toys(tmp_path, 8)
        asked = [crew.ask(toy, slow_s=0.5) for toy in many[:4]]
        _until_some_run()
        with dead_redis():
            asked += [crew.ask(toy) for toy in many[4:]]
            time.sleep(2)
        ended = crew.wait(*asked, within_s=2 * PROMISE_S)
        assert {operation.state for operation in ended} == {OperationState.SUCCEEDED}
        assert [toy.history() for toy in many] == [ONCE_EACH] * len(many)


class TestDatabase:
    def test_lines_cut_while_operations_run(self, crew: Crew, tmp_path: Path) -> None:
        many = toys(tmp_path, 4)
        asked = [crew.ask(toy, slow_s=1) for toy in many]
        _until_some_run()
        cut_database_lines()
        ended = crew.wait(*asked)
        assert {operation.state for operation in ended} == {OperationState.SUCCEEDED}
        assert [toy.history() for toy in many] == [ONCE_EACH] * len(many)


def _until_some_run() -> None:
    for _ in range(300):
        if Operation.objects.filter(state=OperationState.RUNNING).exists():
            return
        time.sleep(0.1)
    pytest.fail("no worker took anything")
