"""The console's surroundings, all real: a Redis, the proxy, a browser's WebSocket, and screens that may misbehave."""

import asyncio
import contextlib
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Self
from uuid import UUID, uuid4

import redis
from redis.asyncio import Redis as AsyncRedis
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, unix_connect
from websockets.typing import Origin, Subprotocol

from console import tickets
from console.proxy import rfb
from console.proxy.server import Proxy
from console.proxy.settings import SESSION_COOKIE, Settings

ORIGIN = "https://panel.test:8443"
SESSION = "the-session-of-ann"
VERSION = rfb.VERSION
NONE_OFFERED = bytes([1, rfb.NO_AUTHENTICATION])
PASSWORD_OFFERED = bytes([1, rfb.VNC_AUTHENTICATION])


def server_init(name: bytes, *, claimed: int | None = None) -> bytes:
    """A ServerInit of a 640×480 screen (RFC 6143 §7.3.2); `claimed` lies about the name's length."""
    pixel_format = bytes([32, 24, 0, 1, 0, 255, 0, 255, 0, 255, 16, 8, 0, 0, 0, 0])
    length = len(name) if claimed is None else claimed
    return (640).to_bytes(2) + (480).to_bytes(2) + pixel_format + length.to_bytes(4) + name


class PrivateRedis:
    """A redis-server on a unix socket, with its append-only file, that can be killed and started again."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self.socket = folder / "redis.sock"
        self.url = f"unix://{self.socket}"

    def start(self) -> None:
        """Start it and wait until it answers."""
        options = ["--port", "0", "--unixsocket", str(self.socket), "--dir", str(self._folder), "--save", ""]
        self._process = subprocess.Popen(
            ["redis-server", *options, "--appendonly", "yes", "--appendfsync", "always"],
            stdout=subprocess.DEVNULL,
        )
        wait_until(self._answers)

    def kill(self) -> None:
        """End it without warning."""
        if self._process:
            self._process.kill()
            self._process.wait()
            self._process = None

    def client(self) -> redis.Redis:
        """A new client; whoever asks closes it."""
        return redis.Redis.from_url(self.url, socket_timeout=5)

    def _answers(self) -> bool:
        with self.client() as client, contextlib.suppress(redis.ConnectionError):
            return bool(client.ping())
        return False


class RunningProxy:
    """A proxy in a thread of its own, so that a test may give it other times than a panel's."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._stop: Callable[[], object] = lambda: None
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()))

    def __enter__(self) -> Self:
        self._thread.start()
        wait_until(self._accepts)
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()
        self._thread.join(timeout=20)
        assert not self._thread.is_alive()

    def _accepts(self) -> bool:
        """A socket's file is there a moment before anybody listens at it."""
        with socket.socket(socket.AF_UNIX) as probe:
            return probe.connect_ex(str(self.settings.listen)) == 0

    async def _serve(self) -> None:
        stop, loop = asyncio.Event(), asyncio.get_running_loop()
        self._stop = lambda: loop.call_soon_threadsafe(stop.set)
        url = self.settings.redis_url
        async with (
            AsyncRedis.from_url(url, socket_timeout=5) as commands,
            AsyncRedis.from_url(url, socket_timeout=None) as subscriber,
        ):
            await Proxy(self.settings, redis=commands, subscriber=subscriber).serve(stop)


class Screen:
    """An RFB server on 127.0.0.1 that plays one script for each connection.

    The default is a well-behaved screen without a password; what the proxy lets through lands in `received`.
    """

    def __init__(self, script: Callable[["Screen", socket.socket], None] | None = None) -> None:
        self.received = bytearray()
        self._script = script or Screen.well_behaved
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._connections: list[socket.socket] = []
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.power_off()

    def power_off(self) -> None:
        """What a browser sees when QEMU ends: the line is cut and nobody listens any more."""
        for end in (self._listener, *self._connections):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def send(self, data: bytes) -> None:
        """Send from the screen to its last visitor."""
        self._connections[-1].sendall(data)

    def well_behaved(self, peer: socket.socket) -> None:
        """Shake hands as a screen named `QEMU (web1)` and then listen."""
        self.shake_hands(peer)
        while data := peer.recv(65536):
            self.received += data

    def shake_hands(self, peer: socket.socket) -> None:
        """Only the handshake."""
        peer.sendall(VERSION)
        exactly(peer, 12)
        peer.sendall(NONE_OFFERED)
        exactly(peer, 1)
        peer.sendall(bytes(4))
        exactly(peer, 1)
        peer.sendall(server_init(b"QEMU (web1)"))

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                peer, _ = self._listener.accept()
                self._connections.append(peer)
                threading.Thread(target=self._play, args=(peer,), daemon=True).start()

    def _play(self, peer: socket.socket) -> None:
        with contextlib.suppress(OSError):
            self._script(self, peer)


class QemuScreen:
    """A real QEMU that never runs its guest and shows its screen on 127.0.0.1, behind a password if given one."""

    def __init__(self, folder: Path, *, name: str, password: str | None) -> None:
        self._monitor = folder / f"{name}.qmp"
        self.port = free_port(5900, 5999)
        guard = ",password=on" if password else ""
        display = ["-display", "none", "-vnc", f"127.0.0.1:{self.port - 5900}{guard}"]
        machine = ["-machine", "q35,accel=tcg", "-m", "64", "-nodefaults", "-vga", "std", "-S", "-name", name]
        monitor = ["-qmp", f"unix:{self._monitor},server=on,wait=off"]
        self._process = subprocess.Popen(["qemu-system-x86_64", *machine, *display, *monitor])
        wait_until(lambda: listens(self.port))
        if password:
            self._ask("set_password", protocol="vnc", password=password)

    def stop(self) -> None:
        """Pull the plug."""
        self._process.kill()
        self._process.wait()

    def _ask(self, command: str, **arguments: str) -> None:
        with socket.socket(socket.AF_UNIX) as monitor:
            monitor.connect(str(self._monitor))
            lines = monitor.makefile("rw")
            lines.readline()
            for order in ({"execute": "qmp_capabilities"}, {"execute": command, "arguments": arguments}):
                lines.write(json.dumps(order) + "\n")
                lines.flush()
                assert '"return"' in lines.readline()


class ProxyProcess:
    """The proxy as the panel runs it: `python -m console.proxy`."""

    def __init__(self, folder: Path, redis_url: str, *, listen: str = "") -> None:
        self.log = folder / "console.log"
        self.socket = folder / "run" / "console.sock"
        self.socket.parent.mkdir(exist_ok=True)
        environment = os.environ | {
            "PANEL_STATE_DIR": str(folder),
            "PANEL_HOSTNAMES": "panel.test",
            "PANEL_PORT": "8443",
            "REDIS_URL": redis_url,
            "PANEL_LOG_LEVEL": "INFO",
            "PANEL_CONSOLE_LISTEN": listen,
            "PANEL_CONSOLES_PER_PERSON": "1000",
        }
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "console.proxy"], stderr=log, env=environment
            )
        wait_until(lambda: b"listening" in self.log.read_bytes())

    def terminate(self) -> int:
        """Ask it to end and give its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=20)


def grant_for(
    port: int,
    *,
    redis_client: redis.Redis,
    mode: tickets.Mode = tickets.Mode.FULL,
    password: str | None = None,
    desktop_name: str | None = "QEMU (web1)",
    domain_uuid: UUID | None = None,
    user_id: int = 7,
) -> tickets.Grant:
    """A grant for the session of Ann and a screen on this machine."""
    return tickets.Grant(
        session_hash=tickets.session_hash(SESSION),
        user_id=user_id,
        domain_uuid=domain_uuid or uuid4(),
        domain_name="web1",
        mode=mode,
        host="127.0.0.1",
        port=port,
        checked_us=tickets.now(redis_client),
        password=password,
        desktop_name=None if password else desktop_name,
    )


def issue(redis_client: redis.Redis, grant: tickets.Grant, *, seconds: float = tickets.TICKET_SECONDS) -> str:
    """A ticket that serves, as web and worker make it together."""
    ticket, digest = tickets.draw()
    tickets.store(redis_client, digest, grant, seconds=seconds)
    return ticket


def knock(
    at: Path,
    ticket: str | None,
    *,
    origin: str | None = ORIGIN,
    session: str | None = SESSION,
    cookies: str = "",
) -> AbstractContextManager[ClientConnection]:
    """A WebSocket at the proxy, opened as a browser's page does. Raises InvalidStatus for an HTTP refusal."""
    offered = ["binary"] if ticket is None else ["binary", f"ticket.{ticket}"]
    cookies = f"{SESSION_COOKIE}={session}" if session else cookies
    headers = {"Cookie": cookies} if cookies else {}
    return unix_connect(
        str(at),
        uri="ws://panel.test/console/socket",
        origin=Origin(origin) if origin else None,
        subprotocols=[Subprotocol(name) for name in offered],
        additional_headers=headers,
        compression=None,
        open_timeout=10,
        close_timeout=1,
    )


class Viewer:
    """noVNC's half of the RFB handshake over an open WebSocket."""

    def __init__(self, line: ClientConnection) -> None:
        self.line = line
        self.name = b""
        self._buffer = b""

    def shake_hands(self) -> Self:
        """Through to ServerInit; afterwards `name` is the screen's."""
        assert self.read(12) == VERSION
        self.line.send(VERSION)
        assert self.read(2) == NONE_OFFERED
        self.line.send(bytes([1]))
        assert self.read(4) == bytes(4)
        self.line.send(b"\x01")
        init = self.read(24)
        self.name = self.read(int.from_bytes(init[20:24]))
        return self

    def read(self, count: int) -> bytes:
        """That many bytes, however they are framed."""
        while len(self._buffer) < count:
            message = self.line.recv(timeout=10)
            assert isinstance(message, bytes)
            self._buffer += message
        taken, self._buffer = self._buffer[:count], self._buffer[count:]
        return taken


def closing_of(line: ClientConnection, *, seconds: float = 10) -> tuple[int, str]:
    """Wait for the end of a console and give its close code and reason."""
    deadline = time.monotonic() + seconds
    try:
        while True:
            line.recv(timeout=max(0.0, deadline - time.monotonic()))
    except ConnectionClosed as closed:
        if closed.rcvd is None:
            raise RuntimeError("the line was cut without a word") from closed
        return closed.rcvd.code, closed.rcvd.reason


def with_times(settings: Settings, *, handshake: float, ping: float, dead: float) -> Settings:
    """The same proxy in a hurry."""
    return replace(settings, handshake_seconds=handshake, ping_seconds=ping, dead_seconds=dead)


def exactly(peer: socket.socket, count: int) -> bytes:
    """That many bytes of a socket. Raises OSError if the peer goes away."""
    data = b""
    while len(data) < count:
        chunk = peer.recv(count - len(data))
        if not chunk:
            raise OSError("the peer went away")
        data += chunk
    return data


def wait_until(true: Callable[[], bool], *, seconds: float = 10) -> None:
    """Ask every 10 ms until it is so. Raises TimeoutError."""
    deadline = time.monotonic() + seconds
    while not true():
        if time.monotonic() > deadline:
            raise TimeoutError("it did not come to pass")
        time.sleep(0.01)


def listens(port: int) -> bool:
    """Whether something accepts connections on that port of 127.0.0.1."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def free_port(first: int, last: int) -> int:
    """A port of 127.0.0.1 that nobody listens on."""
    candidates = list(range(first, last + 1))
    secrets.SystemRandom().shuffle(candidates)
    return next(port for port in candidates if not listens(port))


@contextlib.contextmanager
def private_redis(folder: Path) -> Iterator[PrivateRedis]:
    """A running `PrivateRedis`, ended afterwards."""
    server = PrivateRedis(folder)
    server.start()
    try:
        yield server
    finally:
        server.kill()
