"""Runs Django, which is synchronous, beside the event loop: a request stays on one thread from its begin to its end.

Why not Django's own ASGI handler: `docs/decisions/0041-django-on-threads.md`.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from tempfile import SpooledTemporaryFile
from typing import Any, Final

# So many requests run at once, more wait their turn. One takes 20 ms; far more threads than CPUs are here for those
# that wait: for a worker to make a console's ticket (10 s), for SQLite's other writers (20 s).
THREADS: Final = 40
# A request's body is held in memory up to this size, beyond it in a file.
SPOOL_BYTES: Final = 256 * 1024
# An answer leaves in pieces of at least this size; most are one piece.
PIECE_BYTES: Final = 64 * 1024

# What PEP 3333 calls an application.
Site = Callable[[dict[str, Any], Any], Any]


class OnThreads:
    """An ASGI 3.0 application, for HTTP alone, around a WSGI one (PEP 3333).

    When a browser goes away, a request that still waits for a thread is forgotten. One that has begun runs to its end,
    and only the answer is dropped: a thread is never free and busy at once, and no change is broken off in the middle.
    """

    def __init__(self, site: Site, *, threads: int = THREADS) -> None:
        self._site = site
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="site")

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Take the whole request, so that no thread waits for a slow line, then lend one."""
        with SpooledTemporaryFile(SPOOL_BYTES) as body:
            if not await _read(receive, body):
                return
            answer = _Answer(send)
            work = self._threads.submit(answer.make, self._site, environ(scope, body))
            watch = asyncio.create_task(_forget(work, receive))
            try:
                last = await asyncio.wrap_future(work)
            except asyncio.CancelledError:
                if watch.done():
                    return
                raise
            finally:
                watch.cancel()
        await answer.send(last, more=False)


class _Answer:
    """One request's answer, on its way from a thread to the event loop that was running when this was made."""

    def __init__(self, send: Any) -> None:
        self._send = send
        self._loop = asyncio.get_running_loop()
        self._start: dict[str, Any] = {}

    def make(self, site: Site, request: dict[str, Any]) -> bytes:
        """On the thread: run the site, send all pieces but the last and return that one."""
        blocks = site(request, self._begin)
        try:
            piece = bytearray()
            for block in blocks:
                if len(piece) >= PIECE_BYTES:
                    # Waits until the line has taken it: a long answer never lies in memory as a whole.
                    asyncio.run_coroutine_threadsafe(self.send(bytes(piece), more=True), self._loop).result()
                    piece.clear()
                piece += block
            return bytes(piece)
        finally:
            # Ends the request for Django, which keeps this thread's database connection or closes a broken one.
            getattr(blocks, "close", lambda: None)()

    async def send(self, piece: bytes, *, more: bool) -> None:
        """On the loop: before the first piece the status and the headers."""
        if self._start:
            await self._send(self._start)
            self._start = {}
        await self._send({"type": "http.response.body", "body": piece, "more_body": more})

    def _begin(self, status: str, headers: Iterable[tuple[str, str]], exc_info: object = None) -> None:
        """PEP 3333's `start_response`; Django never gives `exc_info`."""
        self._start = {
            "type": "http.response.start",
            "status": int(status[:3]),
            "headers": [(name.encode("latin-1"), value.strip().encode("latin-1")) for name, value in headers],
        }


async def _read(receive: Any, body: Any) -> bool:
    """Write the request's body to the file `body`; False where the browser went away before its end."""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return False
        body.write(message.get("body", b""))
        if not message.get("more_body"):
            return True


async def _forget(work: Future[bytes], receive: Any) -> None:
    """Cancel `work`, unless it has begun, when the browser goes away: all that can come after the request's body."""
    await receive()
    work.cancel()


def environ(scope: Any, body: Any) -> dict[str, Any]:
    """The request as PEP 3333 wants it; the file `body` stands at its end and is turned back."""
    server, port = scope.get("server") or ("localhost", None)
    said: dict[str, Any] = {}
    for name, value in scope["headers"]:
        # X_Forwarded_Proto would become the same variable as X-Forwarded-Proto, which nginx sets.
        if b"_" not in name:
            key = "HTTP_" + name.decode("latin-1").upper().replace("-", "_")
            text = value.decode("latin-1")
            said[key] = f"{said[key]},{text}" if key in said else text
    said.pop("HTTP_CONTENT_LENGTH", None)
    said["CONTENT_TYPE"] = said.pop("HTTP_CONTENT_TYPE", "")
    said["CONTENT_LENGTH"] = str(body.tell())
    body.seek(0)
    if scope.get("client"):
        said["REMOTE_ADDR"] = scope["client"][0]
    return said | {
        "REQUEST_METHOD": scope["method"],
        "SCRIPT_NAME": "",
        "PATH_INFO": scope["path"].encode().decode("latin-1"),
        "QUERY_STRING": scope["query_string"].decode("latin-1"),
        "SERVER_NAME": server,
        "SERVER_PORT": str(port or 0),
        "SERVER_PROTOCOL": f"HTTP/{scope['http_version']}",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope["scheme"],
        "wsgi.input": body,
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
