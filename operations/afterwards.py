"""What a worker still does for an operation once its end is written down: nobody waits for it.

It is lost where the worker dies in between, so somebody else must find it then.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import structlog

log = structlog.get_logger(__name__)

_deeds: ContextVar[list[Callable[[], None]] | None] = ContextVar("deeds", default=None)


def do(deed: Callable[[], None]) -> None:
    """Do it after the operation that is at work here; at once where there is none."""
    deeds = _deeds.get()
    if deeds is None:
        deed()
    else:
        deeds.append(deed)


@contextmanager
def collected() -> Iterator[None]:
    """The block is an operation's work. What fails after it is logged: the operation has ended well."""
    deeds: list[Callable[[], None]] = []
    token = _deeds.set(deeds)
    try:
        yield
    finally:
        _deeds.reset(token)
        for deed in deeds:
            try:
                deed()
            except Exception:
                log.exception("what was left to be done afterwards failed")
