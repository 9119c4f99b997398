"""The foreground: says in plain words which part died and came back, until someone asks to stop."""

import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

from launcher import logs
from launcher.layout import Layout
from launcher.say import say

# How supervisord 4.3 words what happens to a part.
DIED = re.compile(r" exited: (?P<part>\w+) \((?P<how>[^;)]+)")
BACK = re.compile(r" success: (?P<part>\w+) entered RUNNING state")
LAST_WORDS = 5


class _StopAsked(Exception):  # noqa: N818  (no error: Ctrl-C, a closed terminal or systemd)
    pass


def until_asked_to_stop(layout: Layout) -> None:
    """Watch the parts until SIGINT, SIGTERM or SIGHUP comes."""
    with _signals_as_exceptions():
        try:
            for _, line in logs.follow({"supervisor": layout.log / "supervisor.log"}):
                for words in told(line, layout):
                    say(words)
        except _StopAsked:
            return


def told(line: str, layout: Layout) -> Iterator[str]:
    """What one line of the supervisor's log means to a person; nothing for most of them."""
    if died := DIED.search(line):
        yield f"! {died['part']} died ({died['how']}) and is started again. Its last words:"
        for words in logs.tail(layout.log / f"{died['part']}.log", LAST_WORDS):
            yield f"    {words}"
    elif back := BACK.search(line):
        yield f"* {back['part']} runs again"


@contextmanager
def _signals_as_exceptions() -> Iterator[None]:
    def stop(_number: int, _frame: FrameType | None) -> NoReturn:
        raise _StopAsked

    signals = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, stop) for number in signals}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
