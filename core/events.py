"""Tell open browsers that something changed.

`publish("domain", uuid)` is a hint, never data: the receiver renders the fragment itself, for the person it belongs to
(`core.live`). Hints leave after commit, in order, on a thread of their own with one Redis connection per process:
a channel layer used through `async_to_sync` would open a connection for each hint.
"""

from __future__ import annotations

import asyncio
import os
import threading
from uuid import UUID

import structlog
from channels.layers import get_channel_layer
from django.db import transaction

log = structlog.get_logger(__name__)

_lock = threading.Lock()
_loops: dict[int, asyncio.AbstractEventLoop] = {}


def group(kind: str, key: UUID | str) -> str:
    """The channel-layer group of one topic; names there allow ASCII letters, digits, `-`, `_` and `.`."""
    return f"live.{kind}.{key}"


def publish(kind: str, key: UUID | str = "all") -> None:
    """Say, after the current transaction commits, that the thing named by `kind` and `key` changed."""
    transaction.on_commit(lambda: _send(kind, str(key)), robust=True)


def _send(kind: str, key: str) -> None:
    asyncio.run_coroutine_threadsafe(_send_now(kind, key), _loop())


async def _send_now(kind: str, key: str) -> None:
    layer = get_channel_layer()
    try:
        await layer.group_send(group(kind, key), {"type": "live.changed", "kind": kind, "key": key})
    except OSError as error:
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
