"""A checkout's `bin/panel`, run as people run it, with a state folder and a port of the test's own."""

from __future__ import annotations

import os
import shutil
import socket
import ssl
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from http.client import HTTPSConnection
from pathlib import Path

import pytest

from launcher import layout, supervisor

ROOT = layout.ROOT


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture
def state() -> Iterator[Path]:
    """A state folder with a name short enough for the sockets in it."""
    with tempfile.TemporaryDirectory(prefix="panel-") as folder:
        yield Path(folder)


@dataclass(frozen=True)
class Panel:
    """One panel of the tests' own."""

    state: Path
    port: int
    names: str = ""

    @property
    def environment(self) -> dict[str, str]:
        """What the tests' own settings said is left out: this panel has its own."""
        ours = {"PANEL_STATE_DIR": str(self.state), "PANEL_PORT": str(self.port)}
        others = {"DATABASE_URL", "REDIS_URL", "PANEL_HOSTNAMES", "PANEL_LIBVIRT_SOCKET", "PANEL_LOG_LEVEL"}
        if self.names:
            ours["PANEL_HOSTNAMES"] = self.names
        return {name: value for name, value in os.environ.items() if name not in others} | ours

    @property
    def layout(self) -> layout.Layout:
        return layout.read(self.environment)

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [ROOT / "bin" / "panel", *arguments],
            env=self.environment,
            cwd="/",
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def up(self) -> str:
        """Start it in the background; what it said."""
        finished = self.run("up", "--detach", "--no-hypervisor")
        assert finished.returncode == 0, finished.stdout + finished.stderr
        return finished.stdout

    def get(
        self,
        path: str,
        *,
        host: str = "localhost",
        method: str = "GET",
        headers: dict[str, str] | None = None,
    ) -> tuple[int, dict[str, str], str]:
        """Status, headers and body, over TLS that trusts this panel's certificate and nothing else."""
        context = ssl.create_default_context(cafile=str(self.state / "tls" / "panel.crt"))
        connection = HTTPSConnection("localhost", self.port, context=context, timeout=10)
        try:
            connection.request(method, path, headers={"Host": host, **(headers or {})})
            answer = connection.getresponse()
            said = {name.lower(): value for name, value in answer.getheaders()}
            return answer.status, said, answer.read().decode(errors="replace")
        finally:
            connection.close()

    def pid(self, part: str) -> int:
        states = supervisor.states(self.layout) or []
        return next((state.pid for state in states if state.name == part and state.runs), 0)

    def processes(self) -> list[str]:
        """The command of every process that was started with this panel's state folder."""
        mark = f"PANEL_STATE_DIR={self.state}".encode()
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            try:
                if mark in (process / "environ").read_bytes().split(b"\0"):
                    found.append((process / "cmdline").read_text().replace("\0", " "))
            except OSError:
                continue
        return found


class Nobody:
    """A person without root, with a copy of the launcher where they can read it."""

    def __init__(self, folder: Path) -> None:
        self.home = folder / "home"
        for part in ("bin", "launcher"):
            shutil.copytree(ROOT / part, self.home / part)
        folder.chmod(0o755)

    def run(self, *argv: str, **settings: str) -> subprocess.CompletedProcess[str]:
        """Run a program as nobody, in the copied checkout."""
        become = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"]
        environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", **settings}
        return subprocess.run(
            [*become, *argv], cwd=self.home, env=environment, capture_output=True, text=True, check=False
        )


@pytest.fixture
def nobody() -> Iterator[Nobody]:
    with tempfile.TemporaryDirectory(prefix="panel-") as folder:
        yield Nobody(Path(folder))


@pytest.fixture
def stopped_panel(state: Path) -> Iterator[Panel]:
    """A panel that was never started, with a name of its own only; what a test starts of it is gone afterwards."""
    panel = Panel(state, free_port(), names="panel.example.org")
    yield panel
    panel.run("down")


@pytest.fixture(scope="module")
def panel() -> Iterator[Panel]:
    """A running panel without a hypervisor, shared by a module's tests."""
    with tempfile.TemporaryDirectory(prefix="panel-") as folder:
        panel = Panel(Path(folder), free_port())
        try:
            panel.up()
            yield panel
        finally:
            panel.run("down")
