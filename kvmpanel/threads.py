"""Runs Django's synchronous views on threads that stay, each with a database connection that stays open."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from asgiref.sync import ThreadSensitiveContext

# Requests beyond these get a thread of their own that ends with them.
KEPT = 8


class WarmThreads:
    """An ASGI application around Django's.

    Left alone, Django's ASGI handler makes a thread for each request, and with it a new SQLite connection, which reads
    the whole schema again and begins with an empty page cache: a fifth of the time a page takes.
    """

    def __init__(self, site: Any) -> None:
        self._site = site
        self._idle: list[ThreadPoolExecutor] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Lend one thread to the request; only the event loop's thread touches the list."""
        executor = self._idle.pop() if self._idle else ThreadPoolExecutor(1, thread_name_prefix="site")
        try:
            async with ThreadSensitiveContext(executor=executor):
                await self._site(scope, receive, send)
        finally:
            if len(self._idle) < KEPT:
                self._idle.append(executor)
            else:
                executor.shutdown(wait=False)
