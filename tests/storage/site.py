"""The panel's web process, for real, and somebody who sends files to it."""

from __future__ import annotations

import base64
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any, Self

import httpx
from django.conf import settings
from django.db import connection

from accounts.models import User
from storage.models import Pool
from tests.conftest import browser_of
from tests.eventually import eventually

VERSION = {"Tus-Resumable": "1.0.0"}
BODY_TYPE = "application/offset+octet-stream"


class Site:
    """uvicorn on a port of its own, on the tests' database; may be killed and started again."""

    def __init__(self) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self._clients: list[httpx.Client] = []

    def start(self) -> Self:
        """Start it, and return when it answers."""
        command = [sys.executable, "-m", "uvicorn", "kvmpanel.asgi:application", "--port", str(self.port)]
        environment = {**os.environ, "DATABASE_URL": _database_url()}
        self.process = subprocess.Popen([*command, "--log-level", "error"], env=environment)
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            except OSError:
                time.sleep(0.05)
            else:
                return self
        raise RuntimeError("The web process did not come up.")

    def kill(self) -> None:
        """As the kernel does when memory is short."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(timeout=10)

    def client(self, headers: dict[str, str]) -> httpx.Client:
        """One that talks to this site; `close` ends it."""
        client = httpx.Client(base_url=f"http://127.0.0.1:{self.port}", headers=headers, timeout=30)
        self._clients.append(client)
        return client

    def close(self) -> None:
        """Kill it, and end everybody who talked to it."""
        for client in self._clients:
            client.close()
        self.kill()

    def memory_kb(self) -> int:
        """The most it ever used."""
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))


def _database_url() -> str:
    parts = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"sqlite://{parts['NAME']}"
    return f"postgresql://{parts['USER']}@/{parts['NAME']}?host={parts['HOST']}"


class Sender:
    """One browser tab of a signed-in person, speaking tus as the protocol has it."""

    def __init__(self, site: Site, user: User | None, **headers: str) -> None:
        self.site = site
        everywhere = {
            "Host": "localhost",
            "X-Forwarded-Proto": "https",
            "Origin": settings.PANEL_ORIGINS[0],
            **VERSION,
        }
        if user is not None:
            browser = browser_of(user)
            session = browser.cookies[settings.SESSION_COOKIE_NAME].value
            secret = "a" * 32
            everywhere["Cookie"] = (
                f"{settings.SESSION_COOKIE_NAME}={session}; {settings.CSRF_COOKIE_NAME}={secret}"
            )
            everywhere["X-CSRFToken"] = secret
        self.client = site.client({**everywhere, **headers})

    def begin(self, pool: Pool, filename: str, size: int, *, fingerprint: str = "") -> httpx.Response:
        """Ask for a place for a file."""
        words = {
            "filename": filename,
            "pool": str(pool.uuid),
            "host": str(pool.host.uuid),
            "fingerprint": fingerprint,
        }
        pairs = ",".join(
            f"{key} {base64.b64encode(value.encode()).decode()}" for key, value in words.items() if value
        )
        headers = {"Upload-Length": str(size), "Upload-Metadata": pairs}
        return self.client.post("/uploads/", headers=headers)

    def offset(self, address: str) -> int:
        """How much the panel has."""
        answer = self.client.head(address)
        assert answer.status_code == 200, answer.status_code
        return int(answer.headers["Upload-Offset"])

    def send(self, address: str, offset: int, body: Any, **headers: str) -> httpx.Response:
        """Bytes from `offset` on."""
        all_headers = {"Upload-Offset": str(offset), "Content-Type": BODY_TYPE, **headers}
        return self.client.patch(address, content=body, headers=all_headers)

    def cut(self, address: str, content: bytes, offset: int, at: int) -> None:
        """Send the bytes from `offset` to `at`, promising all the rest, then pull the cable.

        Not before the panel has begun to receive: what came before that it never sees where the line is dead by then.
        """
        lines = [f"PATCH {address} HTTP/1.1", f"Content-Length: {len(content) - offset}"]
        headers = {**dict(self.client.headers), "Upload-Offset": str(offset), "Content-Type": BODY_TYPE}
        lines += [f"{name}: {value}" for name, value in headers.items() if name.lower() != "content-length"]
        with socket.create_connection(("127.0.0.1", self.site.port), timeout=10) as line:
            line.sendall("\r\n".join(lines).encode() + b"\r\n\r\n" + content[offset:at])
            self._until_received(line)
            eventually(lambda: self.client.head(address).status_code == HTTPStatus.LOCKED, within_s=10)
            time.sleep(0.2)

    def _until_received(self, line: socket.socket) -> None:
        """What the kernel still holds would be lost, and the test would not say where the line was cut."""
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline and _unsent(line):
            time.sleep(0.01)


def _unsent(line: socket.socket) -> int:
    """Bytes that the other side's kernel has not confirmed (tcp(7), SIOCOUTQ)."""
    import fcntl
    import struct
    import termios

    return int(struct.unpack("i", fcntl.ioctl(line, termios.TIOCOUTQ, bytes(4)))[0])


def blocks(content: bytes, *, pause_s: float = 0.0) -> Iterator[bytes]:
    """The content in pieces, slowly where wanted."""
    for at in range(0, len(content), 65536):
        yield content[at : at + 65536]
        time.sleep(pause_s)
