"""Running other programs: seen by the person, or quietly with their words shown only when they fail."""

import subprocess
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path

from launcher.say import LauncherError, say

LAST_WORDS = 15

Argument = str | Path


def show(argv: Sequence[Argument], *, env: Mapping[str, str] | None = None, what: str) -> None:
    """Run a program with its output on the terminal. Raises LauncherError, naming `what` failed."""
    try:
        status = subprocess.run(argv, env=env, stdin=subprocess.DEVNULL, check=False).returncode
    except FileNotFoundError as error:
        raise _not_installed(argv, what) from error
    if status:
        raise LauncherError(f"{what} failed (status {status}); the reason stands above.")


def show_progress(argv: Sequence[Argument], *, cwd: Path, telling: tuple[str, ...], what: str) -> None:
    """Run a program and print those of its lines that begin with one of `telling`.

    Raises LauncherError with its last words where it fails.
    """
    last: deque[str] = deque(maxlen=LAST_WORDS)
    with subprocess.Popen(
        argv,
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as child:
        assert child.stdout is not None  # noqa: S101  (typing only: PIPE was asked for)
        for line in child.stdout:
            last.append(line.rstrip())
            if line.lstrip().startswith(telling):
                say(f"  {line.strip()}")
    if child.returncode:
        raise _failed(what, child.returncode, list(last))


def ask(
    argv: Sequence[Argument], *, env: Mapping[str, str] | None = None, cwd: Path | None = None, what: str
) -> str:
    """Run a program and return what it says on stdout. Raises LauncherError with its last words where it fails."""
    try:
        finished = subprocess.run(
            argv, env=env, cwd=cwd, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )
    except FileNotFoundError as error:
        raise _not_installed(argv, what) from error
    if finished.returncode:
        words = (finished.stderr or finished.stdout).strip().splitlines()
        raise _failed(what, finished.returncode, words[-LAST_WORDS:])
    return finished.stdout


def _failed(what: str, status: int, words: list[str]) -> LauncherError:
    return LauncherError("\n    ".join([f"{what} failed (status {status}):", *words]))


def _not_installed(argv: Sequence[Argument], what: str) -> LauncherError:
    return LauncherError(f"{what} failed: the program {argv[0]} is not installed.")
