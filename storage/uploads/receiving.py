"""The body of one PATCH on its way to the disk."""

from __future__ import annotations

import asyncio
import errno
import time
from collections.abc import Awaitable, Callable
from typing import Any

from channels.db import database_sync_to_async

from core.units import MIB
from storage import actions, spool
from storage.models import Upload
from storage.uploads.protocol import CHECKSUM_MISMATCH, Checksum, Refused

Receive = Callable[[], Awaitable[dict[str, Any]]]

BLOCK_BYTES = MIB
# A sender whose line is dead keeps others (its own next try) out for this long.
SILENCE_S = 20.0
NOTE_EVERY_S = 2.0


class Cut(Exception):
    """The sender went away; what came is kept."""


class Receiver:
    """Appends one request's body to one upload's file; memory stays at a block, whatever the size."""

    def __init__(self, upload: Upload, part: spool.Part, checksum: Checksum | None) -> None:
        self._upload = upload
        self._part = part
        self._checksum = checksum
        self._begin = part.size
        # With a checksum nothing is believed before the last byte; the file is looked at when it is finished, then.
        self._inspected = checksum is not None or self._begin >= spool.HEAD_BYTES
        self._noted = time.monotonic()
        self.offset = self._begin

    async def take(self, receive: Receive) -> None:
        """All of the body, on the disk for good when this returns.

        Raises Cut, Refused for too many bytes, a wrong checksum or a full disk, and InvalidInput as soon as the first
        bytes show that the file can't be used.
        """
        whole = False
        try:
            async for block in _blocks(receive):
                await self._append(block)
            whole = True
        finally:
            await self._settle(whole=whole)

    async def _append(self, block: bytes) -> None:
        if self.offset + len(block) > self._upload.size_bytes:
            raise Refused(413, "There are more bytes than the upload was begun with.")
        try:
            await asyncio.to_thread(self._write, block)
        except OSError:
            raise Refused(507, "The panel's own disk is full.", fix="Free some space, then go on.") from None
        if self._checksum is not None:
            await asyncio.to_thread(self._checksum.update, block)
        self.offset += len(block)
        if not self._inspected and self.offset >= spool.HEAD_BYTES:
            self._inspected = True
            await asyncio.to_thread(self._inspect)
        if time.monotonic() - self._noted >= NOTE_EVERY_S:
            self._noted = time.monotonic()
            await database_sync_to_async(actions.note_progress)(self._upload, self.offset)

    def _write(self, block: bytes) -> None:
        if spool.free_bytes() < len(block):
            raise OSError(errno.ENOSPC, "what is left is not for uploads")
        self._part.append(block)

    def _inspect(self) -> None:
        from storage import inspection  # 9 MB of the web process, which most never need

        upload = self._upload
        inspection.inspect_file(
            spool.path_of(upload.uuid), filename=upload.filename, size_bytes=upload.size_bytes
        )

    async def _settle(self, *, whole: bool) -> None:
        """A body with a checksum counts as a whole or not at all (tus: Checksum)."""
        if self._checksum is not None and not (whole and self._checksum.holds()):
            self._part.cut(self._begin)
        self.offset = self._part.size
        await asyncio.to_thread(self._part.sync)
        await database_sync_to_async(actions.note_progress)(self._upload, self.offset)
        if whole and self._checksum is not None and not self._checksum.holds():
            raise Refused(CHECKSUM_MISMATCH, "The bytes were damaged on their way.")


async def _blocks(receive: Receive) -> Any:
    """The body in blocks of a size worth a write. Raises Cut after the last that came."""
    buffer = bytearray()
    more = True
    while more:
        try:
            message = await asyncio.wait_for(receive(), SILENCE_S)
        except TimeoutError:
            message = {"type": "http.disconnect"}
        cut = message["type"] == "http.disconnect"
        buffer += message.get("body", b"")
        more = not cut and message.get("more_body", False)
        if buffer and (not more or len(buffer) >= BLOCK_BYTES):
            yield bytes(buffer)
            buffer.clear()
        if cut:
            raise Cut
