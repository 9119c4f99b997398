"""Live fragments: which piece of a page belongs to which topic, and who may see it.

A page marks a piece with `data-live="KIND:KEY"`; the browser asks for that topic on the one live socket. When
`core.events.publish(KIND, KEY)` is heard, the function registered here renders the piece anew, for that person.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from accounts.models import User

Renderer = Callable[["User", str], str | None]


@dataclass(frozen=True, slots=True)
class Topic:
    """`render(user, key)` gives the piece's new HTML, "" where only "changed" is told, None if forbidden."""

    kind: str
    event: str
    render: Renderer


_topics: dict[str, Topic] = {}


def fragment(kind: str, *, event: str | None = None) -> Callable[[Renderer], Renderer]:
    """Register the renderer of topic `kind`; `event` is the published kind it listens to, by default the same."""

    def register(render: Renderer) -> Renderer:
        if kind in _topics:
            raise ValueError(f"live topic {kind!r} is registered twice")
        _topics[kind] = Topic(kind=kind, event=event or kind, render=render)
        return render

    return register


def topic(kind: str) -> Topic | None:
    """The topic of that kind, or None."""
    return _topics.get(kind)


def topics() -> dict[str, Topic]:
    """All registered topics, for the route × role test."""
    return dict(_topics)
