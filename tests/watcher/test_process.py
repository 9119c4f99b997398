"""`manage.py watch` as the supervisor sees it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from urllib.parse import quote, urlsplit

from django.db import connection

from hosts.models import Host, HostState
from tests.eventually import eventually
from tests.lab.panel import ROOT
from tests.watcher.conftest import is_in

DEAD_LOOP = """
import libvirt, sys
from django.core.management import execute_from_command_line

def end():
    raise libvirt.libvirtError("the loop ends")

libvirt.virEventRunDefaultImpl = end
execute_from_command_line(["manage.py", "watch"])
"""


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


def test_it_watches_and_ends_cleanly_when_asked(lab: Host) -> None:
    with process("manage.py", "watch") as watcher:
        eventually(partial(is_in, lab, HostState.UP), within_s=20)

        watcher.send_signal(signal.SIGTERM)

        assert watcher.wait(timeout=5) == 0


def test_it_ends_with_an_error_when_libvirts_event_loop_died(lab: Host) -> None:
    with process("-c", DEAD_LOOP) as watcher:
        assert watcher.wait(timeout=40) == 1
