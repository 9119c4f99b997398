"""Which tests begin first and which stay together where several workers share them (pytest-xdist).

A file's tests go to one worker, one after the other: what its fixtures make for the whole file is made once. Where
many tests take long, mostly waiting, they are handed out one by one (`ALONE`); where they stand on a whole panel, the
files of a folder stay together (`TOGETHER`). What takes longest begins first (`LONG`), so that at the end no worker is
left with it.

The walk over every step's boundary (`WALK`) takes as long as a third of all others, half of it waiting. One worker of
three walks as soon as nothing is left that has to be in time within seconds (`PROMPT`), so that it is spread over the
rest of the run: where all walked at once, nothing would be in time.
"""

from __future__ import annotations

from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

# Files, and folders with a slash at their end: the longest first; all others come after them.
LONG = (
    "tests/e2e/test_install.py",
    "tests/e2e/",
    "tests/watcher/",
    "tests/hosts/",
    "tests/faults/test_migrate.py",
    "tests/faults/test_operations.py",
    "tests/faults/test_panel_killed.py",
    "tests/faults/test_create.py",
    "tests/launcher/test_up_and_down.py",
    "tests/launcher/test_running.py",
    "tests/lab/",
    "tests/domains/test_migrate.py",
    "tests/console/test_open.py",
    "tests/domains/test_create.py",
    "tests/domains/test_state_verb.py",
    "tests/domains/test_drain.py",
    "tests/hypervisor/",
    "tests/storage/test_uploads.py",
)
WALK = "tests/faults/test_every_boundary.py"
WALKERS = 3  # one of so many
PROMPT = ("tests/e2e/", "tests/watcher/", "tests/hosts/")
ALONE = ("tests/faults/", "tests/watcher/")
# All but the first file, which takes as long as all others.
TOGETHER, APART = "tests/e2e/", "tests/e2e/test_install.py"


class Schedule(LoadScopeScheduling):  # type: ignore[misc]
    """Hands out whole files, single tests of those in `ALONE`, and the files of `TOGETHER` as one."""

    def _assign_work_unit(self, node: Any) -> None:
        if self.nodes.index(node) % WALKERS == 0 and not any(
            scope.startswith(PROMPT) for scope in self.workqueue
        ):
            walk = next((scope for scope in self.workqueue if scope.startswith(WALK)), None)
            if walk is not None:
                self.workqueue.move_to_end(walk, last=False)
        super()._assign_work_unit(node)

    def _reschedule(self, node: Any) -> None:
        """One test in reserve is enough: a second would wait behind long ones while other workers have none."""
        if self.workqueue and self._pending_of(self.assigned_work[node]) > 1:
            return
        super()._reschedule(node)

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
    if nodeid.startswith(WALK):
        return len(LONG) + 1
    return next((rank for rank, path in enumerate(LONG) if nodeid.startswith(path)), len(LONG))
