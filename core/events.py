"""Tell open browsers that something changed.

`publish("domain", uuid)` is a hint, never data: the receiver renders the fragment itself, for the person it belongs to
(`core.live`). Hints leave after commit, in order, on a thread of their own with one Redis connection per process:
a channel layer used through `async_to_sync` would open a connection for each hint.
"""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Coroutine, Iterable
from concurrent.futures import Future
from typing import Any
from uuid import UUID

import structlog
from channels.layers import get_channel_layer
from django.core.cache import cache
from django.db import transaction
from redis.exceptions import RedisError

log = structlog.get_logger(__name__)

# A Redis that answers no more must not hold back what is said once it answers again.
SENT_WITHIN_S = 5.0
# How long, in seconds, the time of a topic's last change is kept for browsers that subscribe after it.
KNOWN_FOR = 600

_lock = threading.RLock()
_loops: dict[int, asyncio.AbstractEventLoop] = {}
# Hints that wait while others are being sent: saying one twice tells nothing new, so the same one waits once.
_waiting: dict[tuple[str, str], None] = {}
# Who sends. There is one at a time, or one hint would overtake another that was said before it.
_sender: Future[None] | None = None


def _begin_anew() -> None:
    """A forked worker has no thread yet that would send what waited in its parent, or let go of the lock."""
    global _lock, _sender
    _lock = threading.RLock()
    _waiting.clear()
    _sender = None


os.register_at_fork(after_in_child=_begin_anew)


def group(kind: str, key: UUID | str) -> str:
    """The channel-layer group of one topic; names there allow ASCII letters, digits, `-`, `_` and `.`."""
    return f"live.{kind}.{key}"


def publish(kind: str, key: UUID | str = "all") -> None:
    """Say, after the current transaction commits, that the thing named by `kind` and `key` changed."""
    transaction.on_commit(lambda: _send(kind, str(key)), robust=True)


def end_login(session_key: str) -> None:
    """Close the live sockets of one login."""
    transaction.on_commit(lambda: _start(_end_now(group("session", session_key), "")), robust=True)


def end_logins(user_id: int, *, keep: str = "") -> None:
    """Close the live sockets of all of a person's logins; those of the session `keep` are asked to come again."""
    transaction.on_commit(lambda: _start(_end_now(group("user", str(user_id)), keep)), robust=True)


def changed_within(groups: Iterable[str], seconds: float) -> list[str]:
    """Those of `groups` that were told of a change in the last `seconds` (at most KNOWN_FOR). One question to Redis."""
    since = time.time() - seconds
    return [name for name, at in cache.get_many(list(groups)).items() if at >= since]


def _send(kind: str, key: str) -> None:
    global _sender
    with _lock:
        _waiting[kind, key] = None
        if _sender is None or _sender.done():
            _sender = _start(_send_waiting())


async def _send_waiting() -> None:
    global _sender
    while True:
        with _lock:
            hints = list(_waiting)
            _waiting.clear()
            if not hints:
                _sender = None
                return
        for kind, key in hints:
            await _send_now(kind, key)


def _start(work: Coroutine[Any, Any, None]) -> Future[None]:
    return asyncio.run_coroutine_threadsafe(work, _loop())


async def _end_now(name: str, keep: str) -> None:
    try:
        await get_channel_layer().group_send(name, {"type": "live.ended", "keep": keep})
    except (OSError, RedisError) as error:
        # Each piece asks for the person's rights again when it is drawn, so a socket that stays open tells nothing.
        log.warning("end of a login not told", error=str(error))


async def _send_now(kind: str, key: str) -> None:
    layer = get_channel_layer()
    try:
        cache.set(group(kind, key), time.time(), KNOWN_FOR)  # 0.1 ms, on the thread that does nothing else
        async with asyncio.timeout(SENT_WITHIN_S):
            await layer.group_send(group(kind, key), {"type": "live.changed", "kind": kind, "key": key})
    except (OSError, RedisError) as error:
        # A lost hint is made good by the browser's re-read on reconnect; the row itself is safe.
        log.warning("hint lost", kind=kind, key=key, error=str(error))


def _loop() -> asyncio.AbstractEventLoop:
    pid = os.getpid()  # a forked worker must not write to its parent's loop
    with _lock:
        loop = _loops.get(pid)
        if loop is None:
            loop = _loops[pid] = asyncio.new_event_loop()
            threading.Thread(target=loop.run_forever, name="core.events", daemon=True).start()
        return loop
