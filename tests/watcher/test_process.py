"""`manage.py watch` as the supervisor sees it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from urllib.parse import quote, urlsplit

from django.db import connection

from domains.models import Domain
from hosts.models import Host, HostState
from tests.eventually import eventually
from tests.lab.panel import ROOT
from tests.watcher.conftest import Define, is_in
from watcher.models import Watcher


@contextmanager
def process(*arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """One more Python on the tests' database."""
    environment = os.environ | {
        "DATABASE_URL": _tests_database(),
        "DJANGO_SETTINGS_MODULE": "kvmpanel.settings",
    }
    with subprocess.Popen(
        [sys.executable, *arguments], cwd=ROOT, env=environment, stderr=subprocess.DEVNULL
    ) as child:
        try:
            yield child
        finally:
            child.kill()


def _tests_database() -> str:
    name = str(connection.settings_dict["NAME"])
    if connection.vendor == "sqlite":
        return f"sqlite://{quote(name)}"
    return urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{name}").geturl()


def test_it_watches_and_ends_cleanly_when_asked(near: Host) -> None:
    with process("manage.py", "watch") as watcher:
        eventually(partial(is_in, near, HostState.UP), within_s=30)

        watcher.send_signal(signal.SIGTERM)

        assert watcher.wait(timeout=20) == 0
    assert not Watcher.objects.exists()


def test_another_takes_over_from_one_that_is_killed(near: Host, define: Define) -> None:
    with process("manage.py", "watch") as first:
        eventually(partial(is_in, near, HostState.UP), within_s=30)
        with process("manage.py", "watch"):
            eventually(lambda: Watcher.objects.count() == 2, within_s=30)
            first.kill()
            first.wait()
            began = time.monotonic()
            machine = define("web1")

            eventually(Domain.objects.filter(uuid=machine.uuid).exists, within_s=30)

            assert time.monotonic() - began < 20


def test_nothing_of_a_killed_one_stays(near: Host) -> None:
    with process("manage.py", "watch") as watcher:
        eventually(partial(is_in, near, HostState.UP), within_s=30)
        (zygote,) = _children(watcher.pid)
        (child,) = _children(zygote)

        watcher.kill()

        eventually(lambda: not Path(f"/proc/{zygote}").exists(), within_s=5)
        eventually(lambda: not Path(f"/proc/{child}").exists(), within_s=5)


def _children(pid: int) -> list[int]:
    return [
        int(one)
        for task in Path(f"/proc/{pid}/task").iterdir()
        for one in (task / "children").read_text().split()
    ]
