"""A worker's lines to PostgreSQL outlive its tasks: each new one would cost it and the server more than a task does."""

from __future__ import annotations

from pathlib import Path

from django.db import connection

from operations.models import OperationState
from tests.faults.harness import CREW, Crew, toys


def lines() -> set[int]:
    """The server's processes that serve the crew."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND application_name = %s",
            [CREW],
        )
        return {pid for (pid,) in cursor.fetchall()}


def test_are_the_same_before_and_after(crew: Crew, tmp_path: Path) -> None:
    first, *others = toys(tmp_path, 6)
    crew.wait(crew.ask(first))
    before = lines()

    ended = [crew.wait(crew.ask(toy))[0] for toy in others]

    assert {operation.state for operation in ended} == {OperationState.SUCCEEDED}
    assert before & lines()
