"""Workers as forks of one process that has loaded the site, which takes each of them two seconds of a processor.

`python -m tests.faults.nursery` reads a line for each worker, a JSON object with its `log` file and its `environment`,
and answers with its process id. It ends with its standard input.
"""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from django.conf import settings


class Forked:
    """A process that somebody else's fork began, with as much of `subprocess.Popen` as is needed here."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._end = os.pidfd_open(pid)

    def terminate(self) -> None:
        """Send SIGTERM."""
        signal.pidfd_send_signal(self._end, signal.SIGTERM)

    def wait(self, timeout: float) -> None:
        """Until it has ended. Raises TimeoutExpired after `timeout` seconds."""
        if not select.select([self._end], [], [], timeout)[0]:
            raise subprocess.TimeoutExpired(f"worker {self.pid}", timeout)
        os.close(self._end)


class Nursery:
    """That process, seen from the tests. A context manager; `environment` is what all its workers share."""

    def __init__(self, environment: dict[str, str]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.nursery"],
            cwd=settings.BASE_DIR,
            env=os.environ | environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def fork(self, log: Path, environment: dict[str, str]) -> Forked:
        """One more worker, in a session of its own."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(json.dumps({"log": str(log), "environment": environment}), file=self._process.stdin, flush=True)
        return Forked(int(self._process.stdout.readline()))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.communicate(timeout=20)


def main() -> None:
    """Load all that a worker and its children need, and fork one for each line."""
    import django

    django.setup()
    from celery import current_app
    from django.urls import get_resolver

    import kvmpanel.worker  # noqa: F401 (what it sets is read with the modules)

    current_app.loader.import_default_modules()
    # Each child that is soon to die would spend as long on the addresses as on its operation.
    assert get_resolver().reverse_dict
    for line in sys.stdin:
        if (pid := os.fork()) == 0:
            become(json.loads(line))
        sys.stdout.write(f"{pid}\n")
        sys.stdout.flush()
        bury()


def become(worker: dict[str, Any]) -> None:
    """The worker, until it is ended."""
    os.setsid()
    os.environ.update(worker["environment"])
    log = os.open(worker["log"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    for number, file in enumerate((os.open(os.devnull, os.O_RDONLY), log, log)):
        os.dup2(file, number)
    from tests.faults import worker as ours

    status = 1
    try:
        status = ours.main()
    finally:
        os._exit(status)


def bury() -> None:
    """Let those go that have ended."""
    while True:
        try:
            if os.waitpid(-1, os.WNOHANG)[0] == 0:
                return
        except ChildProcessError:
            return


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "kvmpanel.settings")
    main()
