"""The site's threads: one after the other they share one, at the same time they have one each."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest
from asgiref.sync import sync_to_async

from kvmpanel.threads import KEPT, WarmThreads


async def thread_of_a_view(scope: Any, receive: Any, send: Any) -> None:
    """A site whose only page says on which thread it was made."""
    scope["threads"].append(await sync_to_async(threading.get_ident)())
    await scope["hold"].wait()


async def ask(site: WarmThreads, threads: list[int], hold: asyncio.Event) -> None:
    await site({"type": "http", "threads": threads, "hold": hold}, None, None)


async def test_requests_in_turn_share_a_thread() -> None:
    site, threads, free = WarmThreads(thread_of_a_view), [], asyncio.Event()  # type: ignore[var-annotated]
    free.set()
    for _ in range(3):
        await ask(site, threads, free)
    assert len(set(threads)) == 1


async def test_requests_at_once_have_one_each_and_few_are_kept() -> None:
    site, threads, free = WarmThreads(thread_of_a_view), [], asyncio.Event()  # type: ignore[var-annotated]
    asked = [asyncio.create_task(ask(site, threads, free)) for _ in range(KEPT + 3)]
    while len(threads) < len(asked):
        await asyncio.sleep(0.01)
    free.set()
    await asyncio.gather(*asked)
    assert len(set(threads)) == KEPT + 3
    assert len(site._idle) == KEPT


async def test_a_thread_comes_back_from_a_view_that_broke() -> None:
    async def broken(scope: Any, receive: Any, send: Any) -> None:
        raise ZeroDivisionError

    site = WarmThreads(broken)
    with pytest.raises(ZeroDivisionError):
        await site({"type": "http"}, None, None)
    assert len(site._idle) == 1
