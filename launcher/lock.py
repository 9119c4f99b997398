"""One `up` at a time per state folder."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from launcher.say import LauncherError


@contextmanager
def held(path: Path) -> Iterator[None]:
    """Hold the lock, which the kernel frees however we end. Raises LauncherError where someone else holds it."""
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise LauncherError(
                "Another `bin/panel up` is at work in this state folder: let it finish."
            ) from error
        yield
