"""Running other programs: seen by the person, or quietly with their words shown only when they fail."""

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from launcher.say import LauncherError


def show(
    argv: Sequence[str | Path], *, env: Mapping[str, str] | None = None, cwd: Path | None = None, what: str
) -> None:
    """Run a program with its output on the terminal. Raises LauncherError, naming `what` failed."""
    try:
        status = subprocess.run(argv, env=env, cwd=cwd, stdin=subprocess.DEVNULL, check=False).returncode
    except FileNotFoundError as error:
        raise LauncherError(f"{what} failed: the program {argv[0]} is not installed.") from error
    if status:
        raise LauncherError(f"{what} failed (status {status}); the reason stands above.")


def ask(
    argv: Sequence[str | Path], *, env: Mapping[str, str] | None = None, cwd: Path | None = None, what: str
) -> str:
    """Run a program and return what it says on stdout. Raises LauncherError with its last words where it fails."""
    try:
        finished = subprocess.run(
            argv, env=env, cwd=cwd, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )
    except FileNotFoundError as error:
        raise LauncherError(f"{what} failed: the program {argv[0]} is not installed.") from error
    if finished.returncode:
        words = (finished.stderr or finished.stdout).strip().splitlines()[-12:]
        raise LauncherError("\n    ".join([f"{what} failed (status {finished.returncode}):", *words]))
    return finished.stdout
