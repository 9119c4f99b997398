"""The parts' log files: their last lines, and new ones as they come, across the supervisor's turning-over."""

import os
import time
from collections import deque
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TextIO

POLL_SECONDS = 0.3


def tail(path: Path, count: int) -> list[str]:
    """The last `count` lines; none where the file isn't there yet."""
    try:
        with path.open(errors="replace") as file:
            return [line.rstrip("\n") for line in deque(file, maxlen=count)]
    except FileNotFoundError:
        return []


class Follower:
    """Gives the lines added to one file since the last look."""

    def __init__(self, path: Path) -> None:
        """Begin at the file's present end."""
        self.path = path
        self._rest = ""
        self._file = self._open()
        if self._file:
            self._file.seek(0, 2)

    def _open(self) -> TextIO | None:
        try:
            return self.path.open(errors="replace")
        except FileNotFoundError:
            return None

    def lines(self) -> Iterator[str]:
        """Whole new lines, first from the file as we knew it, then from the one that took its place."""
        yield from self._read()
        if self._replaced():
            self.close()
            self._file = self._open()
            yield from self._read()

    def close(self) -> None:
        """Let the file go."""
        if self._file:
            self._file.close()

    def _read(self) -> Iterator[str]:
        if not self._file:
            return
        *whole, self._rest = (self._rest + self._file.read()).split("\n")
        yield from whole

    def _replaced(self) -> bool:
        try:
            there = self.path.stat()
        except FileNotFoundError:
            return False
        if not self._file:
            return True
        return os.fstat(self._file.fileno()).st_ino != there.st_ino


def follow(files: dict[str, Path]) -> Iterator[tuple[str, str]]:
    """(name, line) for every line added to any of the files from now on, without end."""
    with ExitStack() as stack:
        followers = {name: stack.enter_context(closing(Follower(path))) for name, path in files.items()}
        while True:
            for name, follower in followers.items():
                for line in follower.lines():
                    yield name, line
            time.sleep(POLL_SECONDS)
