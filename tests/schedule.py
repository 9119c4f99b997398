"""Which tests begin first and which stay together where several workers share them (pytest-xdist).

A file's tests go to one worker, one after the other: what its fixtures make for the whole file is made once. Where
many tests take long, mostly waiting, they are handed out one by one (`ALONE`); where they stand on a whole panel, the
files of a folder stay together (`TOGETHER`). What takes longest begins first (`LONG`), so that at the end no worker is
left with it.
"""

from __future__ import annotations

from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

# Files, and folders with a slash at their end: the longest first; all others come after them.
LONG = (
    "tests/e2e/test_install.py",
    "tests/faults/test_migrate.py",
    "tests/faults/test_operations.py",
    "tests/faults/test_create.py",
    "tests/e2e/",
    "tests/watcher/",
    "tests/launcher/test_up_and_down.py",
    "tests/launcher/test_running.py",
    "tests/lab/",
    "tests/hosts/",
    "tests/domains/test_migrate.py",
    "tests/console/test_open.py",
    "tests/domains/test_create.py",
    "tests/hypervisor/",
    "tests/storage/test_uploads.py",
    # They keep all processors busy, beside which what has to be in time would not be.
    "tests/faults/",
)
ALONE = ("tests/faults/", "tests/watcher/")
# All but the first file, which takes as long as all others.
TOGETHER, APART = "tests/e2e/", "tests/e2e/test_install.py"


class Schedule(LoadScopeScheduling):  # type: ignore[misc]
    """Hands out whole files, single tests of those in `ALONE`, and the files of `TOGETHER` as one."""

    def _split_scope(self, nodeid: str) -> str:
        if nodeid.startswith(TOGETHER) and not nodeid.startswith(APART):
            return TOGETHER
        return nodeid if nodeid.startswith(ALONE) else nodeid.partition("::")[0]


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Schedule:
    """Take ours for any number of workers, in the order that `pytest_collection_modifyitems` gives them."""
    config.option.loadscopereorder = False
    return Schedule(config, log)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """The longest first, where workers share them; whoever runs a few tests here gets them in their own order."""
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: _rank(item.nodeid))


def _rank(nodeid: str) -> int:
    return next((rank for rank, path in enumerate(LONG) if nodeid.startswith(path)), len(LONG))
