"""A host with an older libvirt, of which no Debian package is at hand.

A socket that leads to the libvirtd of a real host. What that says of its version is rewritten on its way back; what is
newer than `last_procedure` of the protocol is passed on under a number that nobody knows, so that the daemon itself
refuses it, as an old one would. Which version brought which: "since" on https://libvirt.org/hvsupport.html and the
numbers in libvirt's remote_protocol.x. QEMU, and what documents may hold, stay those of the real host.
"""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from tests.lab.mirrors import CALL, HEADER, OK, REMOTE, REPLY, read_message

_GET_LIB_VERSION: Final = 157
_UNKNOWN: Final = 9999


class OlderHost:
    """A context manager; `version` as in "1.2.7". It asks nothing itself, and ends with the block."""

    def __init__(self, socket: Path, *, real: Path, version: str, last_procedure: int) -> None:
        self.socket = socket
        self._real = real
        major, minor, release = (int(part) for part in version.split("."))
        self._version = (major * 1_000_000 + minor * 1_000 + release).to_bytes(8)
        self._last_procedure = last_procedure
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._end: asyncio.Event | None = None
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=[self._serve()])

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(timeout=10)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._end is not None
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join(timeout=10)
        self._loop.close()

    async def _serve(self) -> None:
        self._end = asyncio.Event()
        lines: set[asyncio.Task[None]] = set()

        async def line(client: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            lines.add(task)
            await self._relay(client, back)
            lines.discard(task)

        async with await asyncio.start_unix_server(line, self.socket):
            self._ready.set()
            await self._end.wait()
            for task in lines:
                task.cancel()
            await asyncio.gather(*lines, return_exceptions=True)

    async def _relay(self, client: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        host, there = await asyncio.open_unix_connection(self._real)
        refused: dict[int, int] = {}
        ways = [
            asyncio.ensure_future(self._questions(client, there, refused)),
            asyncio.ensure_future(self._answers(host, back, refused)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            there.close()
            back.close()

    async def _questions(
        self, client: asyncio.StreamReader, host: asyncio.StreamWriter, refused: dict[int, int]
    ) -> None:
        while message := await read_message(client):
            length, program, version, procedure, kind, serial, status = HEADER.unpack_from(message)
            if (program, kind) == (REMOTE, CALL) and procedure > self._last_procedure:
                refused[serial] = procedure
                header = HEADER.pack(length, program, version, _UNKNOWN, kind, serial, status)
                message = header + message[HEADER.size :]
            host.write(message)
            await host.drain()

    async def _answers(
        self, host: asyncio.StreamReader, client: asyncio.StreamWriter, refused: dict[int, int]
    ) -> None:
        while message := await read_message(host):
            length, program, version, procedure, kind, serial, status = HEADER.unpack_from(message)
            body = message[HEADER.size :]
            if kind == REPLY and serial in refused:
                procedure = refused.pop(serial)
            elif (program, procedure, kind, status) == (REMOTE, _GET_LIB_VERSION, REPLY, OK):
                body = self._version
            client.write(HEADER.pack(length, program, version, procedure, kind, serial, status) + body)
            await client.drain()
