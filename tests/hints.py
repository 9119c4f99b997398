"""Hears what browsers are told, on the real Redis."""

from __future__ import annotations

from types import TracebackType
from typing import Self
from uuid import uuid4

import redis
from django.conf import settings

from core import events

_PREFIX = "panel__group__live."
_TIMEOUT_S = 5.0


class Hints:
    """A context manager; `heard()` gives the hints that were sent between its entry and `end()`, as (kind, key)."""

    def __enter__(self) -> Self:
        self._redis = redis.Redis.from_url(settings.REDIS_URL)
        self._messages = self._redis.pubsub()  # type: ignore[no-untyped-call]
        self._messages.psubscribe(_PREFIX + "*")
        self._messages.get_message(timeout=_TIMEOUT_S)
        self._heard: list[tuple[str, str]] = []
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._messages.close()
        self._redis.close()

    def end(self) -> None:
        """Send a hint of our own, after all others; in a transaction it leaves at commit, as they do."""
        self._fence = ("fence", str(uuid4()))
        events.publish(*self._fence)

    def heard(self) -> set[tuple[str, str]]:
        """Everything up to `end`, which must have been committed by now."""
        return set(self.in_order())

    def in_order(self) -> list[tuple[str, str]]:
        """The same, as they came."""
        while self._fence not in self._heard:
            message = self._messages.get_message(timeout=_TIMEOUT_S)
            assert message is not None, "Redis told nothing"
            kind, _, key = message["channel"].decode().removeprefix(_PREFIX).partition(".")
            self._heard.append((kind, key))
        return self._heard[:-1]
