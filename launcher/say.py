"""The launcher's voice: what it does goes to stdout, what stops it is one exception with advice in it."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager


class LauncherError(Exception):
    """The launcher can't go on. The text says what is wrong and what to do; it is all a person sees."""


def say(text: str = "") -> None:
    """One line for the person at the terminal, at once even through a pipe."""
    print(text, flush=True)


def complain(text: str) -> None:
    """The same, on stderr."""
    print(text, file=sys.stderr, flush=True)


@contextmanager
def step(title: str) -> Iterator[None]:
    """Announce a piece of work that may take a while, and say afterwards how long it took."""
    say(f"* {title} …")
    began = time.monotonic()
    yield
    seconds = time.monotonic() - began
    if seconds >= 1:
        say(f"  done in {seconds:.0f} s")
