"""Real workers and a real beat on the test's own database and Redis, to be killed and brought back.

Nothing is patched but what `tests.faults.worker` says: leases, sweeps and retries take the time they take for people.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote
from uuid import uuid4

import redis
from django.conf import settings
from django.db import connection, transaction

from hosts.models import Host
from operations.models import Operation
from tests import environment
from tests.faults.nursery import Forked, Nursery
from tests.operations.toys import Toy

# What the panel promises: an operation whose worker was killed has ended right after this time at the latest.
PROMISE_S = 45.0
# How often somebody who waits looks. Several tests wait at once, beside those that work.
LOOK_S = 0.4
# By this name PostgreSQL knows the crew's connections (libpq reads PGAPPNAME).
CREW = "crew"


class Crew:
    """One worker and one beat, as the supervisor starts them. A context manager; `folder` keeps logs and fates."""

    def __init__(self, folder: Path, nursery: Nursery) -> None:
        self.folder = folder
        self.fates = folder / "fates"
        self._nursery = nursery
        self._worker: Forked | None = None
        self._beat: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.fates.mkdir(exist_ok=True)
        self.start_worker()
        with (self.folder / "beat.log").open("ab") as log:
            self._beat = subprocess.Popen(
                [sys.executable, "-m", "kvmpanel.schedule", f"{self.folder}/beat"],
                cwd=settings.BASE_DIR,
                env=os.environ | environment_of_workers(),
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in (self._beat, self._worker):
            if process is not None:
                process.terminate()
        for process in (self._beat, self._worker):
            if process is not None:
                _end(process)

    def start_worker(self) -> None:
        """Start it as the supervisor would."""
        self._worker = self._nursery.fork(self.folder / "worker.log", {"PANEL_TEST_FATES": str(self.fates)})

    def stop_worker(self) -> None:
        """SIGTERM, and no waiting for its end."""
        assert self._worker is not None
        self._worker.terminate()

    def kill_worker(self) -> None:
        """SIGKILL the worker and all its children at once."""
        assert self._worker is not None
        os.killpg(self._worker.pid, signal.SIGKILL)
        self._worker.wait(timeout=10)
        self._worker = None

    def ask(self, toy: Toy, *fates: str, **behaviour: Any) -> Operation:
        """Submit a toy operation that will meet `fates`."""
        with self.doomed(*fates) as doom:
            return doom(toy.ask(**behaviour))

    @contextmanager
    def doomed(self, *fates: str) -> Iterator[Callable[[Operation], Operation]]:
        """A transaction for a submit; the function given seals the operation's fate before a worker can see it."""

        def seal(operation: Operation) -> Operation:
            (self.fates / str(operation.pk)).write_text("\n".join(fates))
            return operation

        with transaction.atomic():
            yield seal

    def met(self, operation: Operation) -> bool:
        """Whether all that was to happen to it did."""
        return not (self.fates / str(operation.pk)).read_text()

    def recovery_s(self, operation: Operation) -> float:
        """How long after the last of its fates it ended."""
        assert operation.finished_at is not None
        return operation.finished_at.timestamp() - (self.fates / str(operation.pk)).stat().st_mtime

    def wait(self, *operations: Operation, within_s: float = PROMISE_S) -> list[Operation]:
        """The operations as they ended. Fails where one has not by then, and shows what the worker said."""
        keys = [operation.pk for operation in operations]
        deadline = time.monotonic() + within_s
        while Operation.objects.active().filter(pk__in=keys).exists():
            if time.monotonic() > deadline:
                left = list(Operation.objects.active().filter(pk__in=keys).values_list("state", "message"))
                raise AssertionError(f"not ended after {within_s} s: {left}\n{self.log('worker')[-4000:]}")
            time.sleep(LOOK_S)
        rows = Operation.objects.in_bulk(keys)
        return [rows[key] for key in keys]

    def log(self, part: str) -> str:
        """What the worker or the beat has written."""
        return (self.folder / f"{part}.log").read_text()


def toys(folder: Path, count: int) -> list[Toy]:
    """Toys with a folder and a target of their own each."""
    made = []
    for number in range(count):
        place = folder / f"{number}-{uuid4().hex[:8]}"
        place.mkdir()
        made.append(Toy(folder=place, host=Host.objects.create(name=place.name)))
    return made


def flush_redis() -> None:
    """Everything in Redis is gone."""
    with redis.Redis.from_url(settings.REDIS_URL) as client:
        client.flushall()


@contextmanager
def dead_redis() -> Iterator[None]:
    """SIGKILL Redis; at the end of the block another one starts, empty, where the first one was."""
    with redis.Redis.from_url(settings.REDIS_URL) as client:
        pid = int(client.info("server")["process_id"])
    os.kill(pid, signal.SIGKILL)
    try:
        yield
    finally:
        environment.start_redis()


def cut_database_lines() -> None:
    """End every connection of the crew's; SQLite has none, there the file is locked for a moment instead.

    Not those of this process: its pool would have to find out which of its own are dead, in the middle of a later test.
    """
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND application_name = %s",
                [CREW],
            )
        return
    with transaction.atomic():  # begins with the write lock (transaction_mode IMMEDIATE)
        time.sleep(1)


def environment_of_workers() -> dict[str, str]:
    """What tells them that they belong to this test run.

    Long operations do not wait for each other, which `tests.operations.test_waiting` is about.
    """
    return {
        "DATABASE_URL": _database_url(),
        "PANEL_LOG_LEVEL": "WARNING",
        "PANEL_LONG_OPERATIONS": "40",
        "PGAPPNAME": CREW,
    }


def _database_url() -> str:
    name = str(connection.settings_dict["NAME"])
    if connection.vendor == "sqlite":
        return f"sqlite://{quote(name)}"
    return f"postgresql://{connection.settings_dict['USER']}@/{name}?host={connection.settings_dict['HOST']}"


def _end(process: subprocess.Popen[bytes] | Forked) -> None:
    try:
        process.wait(timeout=20)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(timeout=10)
