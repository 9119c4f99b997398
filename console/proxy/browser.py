"""The browser's end of a console: the HTTP upgrade (RFC 6455 §4.2) and frames, on websockify's codec."""

import asyncio
import contextlib
import http.client
import io
import socket
import struct
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from websockify.websocket import WebSocket, WebSocketWantReadError, WebSocketWantWriteError

HEAD_BYTES = 16 * 1024
FRAME_BYTES = 1024 * 1024
HEADER_ROOM = 10
SUBPROTOCOL = "binary"
TICKET_PREFIX = "ticket."

Connection = socket.socket


class Refused(Exception):
    """A request that does not become a WebSocket; `status` is what HTTP says to it."""

    def __init__(self, status: HTTPStatus, why: str) -> None:
        super().__init__(why)
        self.status = status


class BrokenFrame(Exception):
    """The browser sent more than a console takes, or something that is no frame."""


class Request:
    """The head of an HTTP request, as far as a console asks about it."""

    def __init__(self, line: str, headers: http.client.HTTPMessage) -> None:
        method, _, rest = line.partition(" ")
        if method != "GET" or not rest.endswith("HTTP/1.1"):
            raise Refused(HTTPStatus.BAD_REQUEST, "not a GET of HTTP/1.1")
        self.headers = headers
        self.origin = headers.get("Origin")

    def login(self, cookie: str) -> str | None:
        """What proves the login: the session's key in that cookie, or an API token (RFC 6750)."""
        authorization: str = self.headers.get("Authorization", "")
        if authorization.startswith("Bearer "):
            return authorization.removeprefix("Bearer ").strip()
        # Not by http.cookies: it stops at the first cookie it can't read, and other ports of the host set some, too.
        pairs = (pair.partition("=") for pair in self.headers.get("Cookie", "").split(";"))
        return next((value.strip() for name, _, value in pairs if name.strip() == cookie), None)

    def ticket(self) -> str | None:
        """The ticket among the subprotocols; kept out of the URL because URLs end up in logs."""
        for name in self.headers.get("Sec-WebSocket-Protocol", "").split(","):
            if name.strip().startswith(TICKET_PREFIX):
                return name.strip().removeprefix(TICKET_PREFIX)
        return None


async def read_request(connection: Connection) -> Request:
    """Read one request head of at most `HEAD_BYTES`. Raises Refused; EOFError if the peer goes away."""
    loop = asyncio.get_running_loop()
    head = bytearray()
    while (end := head.find(b"\r\n\r\n")) < 0:
        if len(head) >= HEAD_BYTES:
            raise Refused(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "request head too long")
        chunk = await loop.sock_recv(connection, 4096)
        if not chunk:
            raise EOFError("the peer went away before its request was complete")
        head += chunk
    if end + 4 != len(head):
        raise Refused(HTTPStatus.BAD_REQUEST, "bytes after the request's head")
    line, _, rest = bytes(head).partition(b"\r\n")
    try:
        return Request(line.decode("latin-1"), http.client.parse_headers(io.BytesIO(rest)))
    except http.client.HTTPException as error:
        raise Refused(HTTPStatus.BAD_REQUEST, "headers that are none") from error


async def refuse(connection: Connection, refusal: Refused) -> None:
    """Answer a request that does not become a WebSocket."""
    status = refusal.status
    answer = f"HTTP/1.1 {status.value} {status.phrase}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    await asyncio.get_running_loop().sock_sendall(connection, answer.encode())


class Browser(WebSocket):  # type: ignore[misc]  # websockify has no types
    """A WebSocket over a non-blocking socket, with a cap on what the peer may make us hold.

    `send_binary` goes around the library's copies, which cost a third of the throughput; everything else is its own.
    """

    _send_buffer: bytes
    _partial_msg: bytes
    socket: "Connection"

    def __init__(self) -> None:
        super().__init__()
        self._owed_pong: bytes | None = None

    def upgrade(self, connection: Connection, request: Request) -> None:
        """Answer the handshake. Raises Refused."""
        try:
            self.accept(connection, request.headers)
        except WebSocketWantWriteError:
            raise Refused(HTTPStatus.BAD_REQUEST, "a peer that reads nothing") from None
        except OSError:
            raise
        except Exception as error:  # websockify raises bare Exception for a bad handshake
            raise Refused(HTTPStatus.BAD_REQUEST, str(error)) from error

    def select_subprotocol(self, protocols: Sequence[str]) -> str:
        """`binary`, in the spelling offered, or the empty string."""
        return next((name for name in protocols if name.strip() == SUBPROTOCOL), "")

    async def receive(self) -> bytes:
        """The next message's bytes, during the handshake. Raises EOFError when the browser leaves."""
        while True:
            try:
                message: bytes | None = self.recvmsg()
            except WebSocketWantReadError:
                await _readable(self.socket)
                continue
            if message is None:
                raise EOFError("the browser left")
            return message

    async def deliver(self, data: bytes) -> None:
        """Send bytes during the handshake; the caller bounds the time."""
        self.send_binary(memoryview(bytearray(HEADER_ROOM) + data), len(data))
        await self.emptied()

    async def emptied(self) -> None:
        """Wait until everything went out; the caller bounds the time."""
        while not self.flushed():
            await _writable(self.socket)

    async def leave(self) -> None:
        """Take and drop what still comes, until the browser closes its end too; the caller bounds the time.

        Raises EOFError in the end.
        """
        with contextlib.suppress(BrokenFrame):
            while True:
                await self.receive()
        while await asyncio.get_running_loop().sock_recv(self.socket, 65536):
            pass

    def send_binary(self, frame: memoryview, length: int) -> bool:
        """Send `frame[HEADER_ROOM:HEADER_ROOM + length]` as one message, its header written in front of it.

        True if all of it went out; otherwise a copy of the rest waits for `flushed`, and nothing more may be
        sent before that returned True.
        """
        header = _header(length)
        start = HEADER_ROOM - len(header)
        frame[start:HEADER_ROOM] = header
        whole = frame[start : HEADER_ROOM + length]
        try:
            sent = 0 if self._send_buffer else self.socket.send(whole)
        except BlockingIOError:
            sent = 0
        if sent == len(whole):
            return True
        self._send_buffer += bytes(whole[sent:])
        return False

    def flushed(self) -> bool:
        """Send what waits; True if nothing is left."""
        try:
            self._flush()
            if self._owed_pong is not None:
                data, self._owed_pong = self._owed_pong, None
                self._sendmsg(0xA, data)
        except WebSocketWantWriteError:
            return False
        return True

    def ask_alive(self) -> None:
        """Send a ping, unless bytes wait: a peer that reads nothing would not answer it."""
        if not self._send_buffer:
            try:
                self._sendmsg(0x9, b"")
            except WebSocketWantWriteError:
                return

    def say_close(self, code: int, reason: str) -> None:
        """Send a close frame as far as the socket takes it."""
        try:
            self.shutdown(None, code, reason)
        except (OSError, WebSocketWantWriteError):
            return

    @property
    def has_said_close(self) -> bool:
        """True once a close frame went out, also one that the codec sent for a frame it does not take."""
        return bool(self._sent_close)

    def _close(self) -> None:
        """Nothing: the socket stays open until nobody watches it, and belongs to whoever accepted it."""

    def handle_ping(self, data: bytes) -> None:
        """Answer a ping; while bytes wait only the last one is remembered (RFC 6455 §5.5.3)."""
        self._owed_pong = data
        self.flushed()

    def _decode_hybi(self, buf: bytes) -> dict[str, Any] | None:
        length = _declared_length(buf)
        if length > FRAME_BYTES or length + len(self._partial_msg) > FRAME_BYTES:
            raise BrokenFrame("a message over one mebibyte")
        frame: dict[str, Any] | None = super()._decode_hybi(buf)
        return frame


def _header(length: int) -> bytes:
    """The header of an unmasked binary frame (RFC 6455 §5.2)."""
    if length < 126:
        return struct.pack(">BB", 0x82, length)
    if length < 65536:
        return struct.pack(">BBH", 0x82, 126, length)
    return struct.pack(">BBQ", 0x82, 127, length)


def _declared_length(buf: bytes) -> int:
    """The payload's length as far as the header has arrived."""
    short = buf[1] & 0x7F if len(buf) > 1 else 0
    if short == 127 and len(buf) >= 10:
        return int.from_bytes(buf[2:10])
    return short


async def _readable(connection: Connection) -> None:
    loop = asyncio.get_running_loop()
    ready = loop.create_future()
    loop.add_reader(connection, _settle, ready)
    try:
        await ready
    finally:
        loop.remove_reader(connection)


async def _writable(connection: Connection) -> None:
    loop = asyncio.get_running_loop()
    ready = loop.create_future()
    loop.add_writer(connection, _settle, ready)
    try:
        await ready
    finally:
        loop.remove_writer(connection)


def _settle(future: "asyncio.Future[None]") -> None:
    if not future.done():
        future.set_result(None)
