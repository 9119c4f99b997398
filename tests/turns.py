"""Which tests run on which database when all are run (`bin/panel test`, which sets PANEL_TEST_TURN).

SQLite has the first turn, with everything that is not named in `ON_POSTGRESQL`. PostgreSQL has the second: of what
touches the database, all that is not about a host's, a guest's or a line's ways alone (`ON_SQLITE`). Both lists hold
what takes minutes and meets the database in no other way than the tests that run on both: rows are locked, journalled
and swept by the same engine, which `tests/faults/test_operations.py` breaks in every way on both.

What is about a server of a database (`OF_A_SERVER`) is PostgreSQL's alone.

Whoever names files, or sets PANEL_TEST_DATABASE alone, gets all of them on that database.
"""

from __future__ import annotations

import os

import pytest

from tests.faults.cases import GROUPS

ON_SQLITE = (
    "tests/console/test_open.py",
    "tests/domains/test_drain.py",
    "tests/domains/test_guest.py",
    "tests/domains/test_media.py",
    "tests/domains/test_migrate.py",
    "tests/domains/test_snapshots_since.py",
    "tests/domains/test_state_verb.py",
    "tests/faults/test_migrate.py",
    "tests/hosts/test_checks.py",
    "tests/hosts/test_transports.py",
    "tests/storage/test_uploads.py",
    "tests/watcher/test_faults.py",
)
# About a server, which SQLite has none of.
OF_A_SERVER = ("tests/faults/test_connections.py",)
_WALK = "tests/faults/test_every_boundary.py::test_"
# Every second group of cases: walked once in each run of everything, on one of the two.
ON_POSTGRESQL = tuple(f"[{group}]" for group in list(GROUPS)[::2])


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what is not this turn's."""
    others = [item for item in items if not _is_wanted(item)]
    config.hook.pytest_deselected(items=others)
    left_out = set(others)
    items[:] = [item for item in items if item not in left_out]


def _is_wanted(item: pytest.Item) -> bool:
    turn = os.environ.get("PANEL_TEST_TURN")
    if os.environ.get("PANEL_TEST_DATABASE") == "postgresql":
        if not _touches_database(item):
            return False
    elif item.nodeid.startswith(OF_A_SERVER):
        return False
    walks_there = item.nodeid.startswith(_WALK) and item.nodeid.endswith(ON_POSTGRESQL)
    if turn == "sqlite":
        return not walks_there
    if turn == "postgresql":
        walks_here = item.nodeid.startswith(_WALK) and not walks_there
        return not (walks_here or item.nodeid.startswith(ON_SQLITE))
    return True


def _touches_database(item: pytest.Item) -> bool:
    fixtures: set[str] = set(getattr(item, "fixturenames", ()))
    return bool(fixtures & {"db", "transactional_db"}) or item.get_closest_marker("django_db") is not None
