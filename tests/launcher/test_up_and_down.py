"""Starting again and stopping: quickly, by any of the ways people use, and with nothing left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

from tests.launcher.conftest import ROOT, Panel

# What the second start may take on two cores that nobody else uses; in proportion where others do.
SECOND_START_SECONDS = 10


@contextmanager
def foreground(panel: Panel) -> Iterator[subprocess.Popen[str]]:
    """`bin/panel up` as someone sits before it, from the moment it is ready."""
    with subprocess.Popen(
        [ROOT / "bin" / "panel", "up", "--no-hypervisor"],
        env=panel.environment,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            read_until(process, "Ctrl-C stops the panel")
            yield process
        finally:
            process.terminate()


def read_until(process: subprocess.Popen[str], words: str) -> str:
    """What it said up to the line with `words` in it."""
    assert process.stdout is not None
    said = ""
    for line in process.stdout:
        said += line
        if words in line:
            return said
    raise AssertionError(f"it ended without saying {words!r}:\n{said}")


class TestDown:
    def test_leaves_no_process_and_says_when_nothing_ran(self, stopped_panel: Panel) -> None:
        said = stopped_panel.up()
        assert "password:" in said

        assert stopped_panel.run("down").returncode == 0

        assert stopped_panel.processes() == []
        assert "wasn't running" in stopped_panel.run("down").stdout
        assert stopped_panel.run("status").returncode == 3


class TestForeground:
    def test_ends_with_all_parts_when_asked_to(self, stopped_panel: Panel) -> None:
        for number in (signal.SIGTERM, signal.SIGHUP):
            with foreground(stopped_panel) as process:
                process.send_signal(number)
                assert process.wait(timeout=60) == 0
            assert stopped_panel.processes() == []

    def test_starts_quickly_the_second_time_and_says_who_died(self, stopped_panel: Panel) -> None:
        stopped_panel.up()
        stopped_panel.run("down")
        began = time.monotonic()
        with foreground(stopped_panel) as process:
            took = time.monotonic() - began
            os.kill(stopped_panel.pid("beat"), signal.SIGKILL)
            said = read_until(process, "beat runs again")
            process.send_signal(signal.SIGINT)
            read_until(process, "Stopped.")

        assert "beat died (terminated by SIGKILL)" in said
        assert took <= SECOND_START_SECONDS * max(1.0, os.getloadavg()[0] / 2)
