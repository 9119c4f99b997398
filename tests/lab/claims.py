"""Numbers that no other lab on this machine has: bridges, subnets and ports are made of them."""

import fcntl
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import IO, Final

from tests.lab.namespace import LabError

_LOCK_DIRECTORY: Final = Path("/run/lock")
_AT_ONCE: Final = 60


def claim(kind: str, tidy: Callable[[int], None]) -> tuple[int, IO[str]]:
    """A free number of that `kind`, from 1 to 60, and the lock that keeps it so until it is closed.

    On the way `tidy` takes away what those left whose owners were killed: nobody holds their locks.
    """
    _LOCK_DIRECTORY.mkdir(exist_ok=True)
    claimed: tuple[int, IO[str]] | None = None
    for number in range(1, _AT_ONCE + 1):
        lock = (_LOCK_DIRECTORY / f"kvm-panel-{kind}-{number}.lock").open("w")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            continue
        tidy(number)
        if claimed is None:
            claimed = number, lock
        else:
            lock.close()
    if claimed is None:
        raise LabError(f"{_AT_ONCE} of these are up already: {kind}.")
    return claimed


def remove_link(name: str) -> None:
    """Take a network interface of this machine away, if it is there."""
    if Path("/sys/class/net", name).exists():
        subprocess.run(["ip", "link", "delete", name], check=False, capture_output=True)
