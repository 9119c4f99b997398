"""The foreground: says in plain words which part died and came back."""

import re
from collections.abc import Iterator

from launcher import logs
from launcher.layout import Layout
from launcher.say import say

# How supervisord 4.3 words what happens to a part.
DIED = re.compile(r" exited: (?P<part>\w+) \((?P<how>[^;)]+)")
BACK = re.compile(r" success: (?P<part>\w+) entered RUNNING state")
LAST_WORDS = 5


def watch(layout: Layout) -> None:
    """Say what happens to the parts, until interrupted."""
    for _, line in logs.follow({"supervisor": layout.log / "supervisor.log"}):
        for words in told(line, layout):
            say(words)


def told(line: str, layout: Layout) -> Iterator[str]:
    """What one line of the supervisor's log means to a person; nothing for most of them."""
    if died := DIED.search(line):
        yield f"! {died['part']} died ({died['how']}) and is started again. Its last words:"
        for words in logs.tail(layout.log / f"{died['part']}.log", LAST_WORDS):
            yield f"    {words}"
    elif back := BACK.search(line):
        yield f"* {back['part']} runs again"
