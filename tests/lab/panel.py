"""A whole panel for end-to-end tests and benchmarks: every part, as `bin/panel up` starts them for people."""

from __future__ import annotations

import os
import re
import socket
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import httpx

ROOT: Final = Path(__file__).resolve().parents[2]
_UP_TIMEOUT_S: Final = 600
_OURS: Final = re.compile(r"PANEL_|DATABASE_URL|REDIS_URL|DJANGO_")


class PanelError(Exception):
    """A command of the panel failed; the message holds what it said."""


class Panel:
    """One panel with its state under `state`, on the libvirt daemon at `libvirt_socket`. A context manager.

    Started again on the same folder it is the same panel: then `password` is known only to who kept it.
    """

    def __init__(self, state: Path, *, libvirt_socket: Path | None = None, database_url: str = "") -> None:
        self.state = state.resolve()
        self.port = _free_port()
        self.username = ""
        self.password = ""
        self._token = ""
        self._libvirt_socket = libvirt_socket
        self._database_url = database_url

    @property
    def url(self) -> str:
        """The origin, without a slash at its end; its certificate is self-signed."""
        return f"https://localhost:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        """What its parts see: also for a process that wants to be one more of them (`django.setup()`)."""
        inherited = {name: value for name, value in os.environ.items() if not _OURS.match(name)}
        given = {
            "PANEL_STATE_DIR": str(self.state),
            "PANEL_PORT": str(self.port),
            "PANEL_HOSTNAMES": "localhost,127.0.0.1",
            "PANEL_LIBVIRT_SOCKET": str(self._libvirt_socket or ""),
            "DATABASE_URL": self._database_url,
        }
        return inherited | {name: value for name, value in given.items() if value}

    def up(self, *options: str) -> str:
        """`bin/panel up --detach`; returns what it said. Raises PanelError."""
        said = self.command("up", "--detach", *options)
        if match := re.search(r"user name:\s*(\S+)\s+password:\s*(\S+)", said):
            self.username, self.password = match.groups()
        return said

    def down(self) -> None:
        """`bin/panel down`; machines go on."""
        self.command("down")

    def manage(self, *arguments: str) -> str:
        """A management command in this panel; returns what it printed."""
        return self.command("manage", *arguments)

    def api(self) -> httpx.Client:
        """REST as the first admin, by a token of this panel's own."""
        self._token = self._token or self.manage("api_token", "admin", "test").split()[-1]
        return httpx.Client(
            base_url=self.url,
            verify=self._tls(),
            headers={"Authorization": f"Bearer {self._token}"},
            timeout=60,
        )

    @contextmanager
    def browse(self) -> Iterator[httpx.Client]:
        """The first admin, signed in as a browser would be, for pages without their scripts."""
        with httpx.Client(
            base_url=self.url,
            verify=self._tls(),
            headers={"Referer": self.url},
            follow_redirects=True,
            timeout=60,
        ) as client:
            form = client.get("/")
            token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', form.text)
            assert token is not None, "no sign-in form"
            given = {"csrfmiddlewaretoken": token[1], "username": self.username, "password": self.password}
            client.post(form.url, data=given).raise_for_status()
            yield client

    def _tls(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self.state / "tls" / "panel.crt")

    def pids(self) -> dict[str, int]:
        """The parts' main processes by name, the supervisor among them. Raises PanelError unless all run."""
        rows = re.findall(r"^(\w+)\s+running\s+(\d+)", self.command("status"), flags=re.MULTILINE)
        return {name: int(pid) for name, pid in rows}

    def command(self, *arguments: str) -> str:
        """`bin/panel` with any arguments; returns what it said. Raises PanelError."""
        done = subprocess.run(
            [ROOT / "bin" / "panel", *arguments],
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=_UP_TIMEOUT_S,
            check=False,
        )
        if done.returncode:
            raise PanelError(f"bin/panel {' '.join(arguments)}: exit {done.returncode}\n{done.stdout}")
        return done.stdout

    def __enter__(self) -> Self:
        self.up()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.down()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
