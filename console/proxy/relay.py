"""The long part of a console: bytes from the screen to the browser and back, until one of them ends.

Event-loop callbacks instead of coroutines: a frame costs two system calls and no allocation. Neither side is read
while the other does not take what was read before, so a console holds at most one chunk for each direction.
"""

import asyncio
import socket
import time
from collections.abc import Callable

from websockify.websocket import WebSocketWantReadError

from console.closing import Closing
from console.proxy.browser import HEADER_ROOM, BrokenFrame, Browser
from console.proxy.view_only import BadMessage

CHUNK = 256 * 1024
TURNS = 4
"""How many chunks one console may move before the others get their turn."""

# One for the process: filled and sent within a single callback, and only a rest is ever copied out of it.
_frame = memoryview(bytearray(HEADER_ROOM + CHUNK))
_payload = _frame[HEADER_ROOM:]


class Relay:
    """Joins one browser and one screen. `run` once; `end` any number of times, the first one counts."""

    def __init__(
        self, browser: Browser, guest: socket.socket, *, passing: Callable[[bytes], bytes] | None
    ) -> None:
        self._browser = browser
        self._guest = guest
        self._passing = passing
        self._loop = asyncio.get_running_loop()
        self._ended: asyncio.Future[Closing | None] = self._loop.create_future()
        self._to_guest = b""
        self._heard = time.monotonic()
        self.bytes_down = 0
        self.bytes_up = 0

    async def run(self, early: bytes) -> Closing | None:
        """Relay until the end and say why; None means that the browser left. `early` is for the guest first."""
        self._loop.add_reader(self._browser.socket, self._guarded, self._up)
        self._loop.add_reader(self._guest, self._guarded, self._down)
        try:
            if early:
                self._guarded(lambda: self._forward(early))
            return await self._ended
        finally:
            for end in (self._browser.socket, self._guest):
                self._loop.remove_reader(end)
                self._loop.remove_writer(end)

    def end(self, closing: Closing | None) -> None:
        """End the console; None if the browser left by itself."""
        if not self._ended.done():
            self._ended.set_result(closing)

    def check_alive(self, dead_seconds: float) -> None:
        """End a console whose browser was not heard for that long; ask the others for a sign of life."""
        if time.monotonic() - self._heard > dead_seconds:
            self.end(Closing.BAD_SCREEN if self._to_guest else Closing.IDLE)
        else:
            self._guarded(self._browser.ask_alive)

    def _guarded(self, step: Callable[[], None]) -> None:
        """Run one step; whatever goes wrong at either end ends this console and no other."""
        if self._ended.done():
            return
        try:
            step()
        except (BrokenFrame, BadMessage):
            self.end(Closing.BAD_CLIENT)
        except OSError:
            self.end(None)

    def _down(self) -> None:
        for _ in range(TURNS):
            try:
                count = self._guest.recv_into(_payload)
            except BlockingIOError:
                return
            except OSError:
                count = 0
            if count == 0:
                self.end(Closing.SCREEN_GONE)
                return
            self.bytes_down += count
            if not self._browser.send_binary(_frame, count):
                self._loop.remove_reader(self._guest)
                self._loop.add_writer(self._browser.socket, self._guarded, self._drain)
                return
            if count < CHUNK:
                return

    def _drain(self) -> None:
        if self._browser.flushed():
            self._loop.remove_writer(self._browser.socket)
            self._loop.add_reader(self._guest, self._guarded, self._down)
            self._down()

    def _up(self) -> None:
        self._heard = time.monotonic()
        try:
            while not self._to_guest:
                message = self._browser.recvmsg()
                if message is None:
                    self.end(None)
                    return
                self._forward(message)
                if not self._browser.pending():
                    return
        except WebSocketWantReadError:
            if self._browser.has_said_close:
                self.end(Closing.BAD_CLIENT)

    def _forward(self, message: bytes) -> None:
        self.bytes_up += len(message)
        if self._passing is not None:
            message = self._passing(message)
        self._to_guest += message
        self._push()

    def _push(self) -> None:
        """Give the guest what is meant for it; while some is left, the browser is not read."""
        waited = self._to_guest
        if not waited:
            return
        try:
            sent = self._guest.send(waited)
        except BlockingIOError:
            sent = 0
        except OSError:
            self.end(Closing.SCREEN_GONE)
            return
        self._to_guest = waited[sent:]
        if self._to_guest:
            self._loop.remove_reader(self._browser.socket)
            self._loop.add_writer(self._guest, self._guarded, self._resume)

    def _resume(self) -> None:
        self._push()
        if not self._to_guest:
            self._loop.remove_writer(self._guest)
            self._loop.add_reader(self._browser.socket, self._guarded, self._up)
            if self._browser.pending():
                self._up()
