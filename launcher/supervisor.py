"""The supervisor over the parts: starting it, asking it, stopping it.

It is supervisord (docs/decisions/0011-supervision.md), asked by XML-RPC over its unix socket, which only the
panel's own user can open.
"""

import http.client
import socket
import time
import xmlrpc.client
from dataclasses import dataclass
from typing import Any

from launcher import commands
from launcher.layout import Layout
from launcher.say import LauncherError

STOP_SECONDS = 60
RPC_SECONDS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class PartState:
    """One part as the supervisor sees it. `pid` is 0 and `seconds` meaningless where it doesn't run."""

    name: str
    state: str
    pid: int
    seconds: int

    @property
    def runs(self) -> bool:
        """Up, and for longer than it takes to fail at the start."""
        return self.state == "RUNNING"


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=RPC_SECONDS)
        self.path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class _UnixTransport(xmlrpc.client.Transport):
    def __init__(self, path: str) -> None:
        super().__init__()
        self.path = path

    def make_connection(self, host: tuple[str, dict[str, str]] | str) -> http.client.HTTPConnection:
        connection = _UnixConnection(self.path)
        self._connection = host, connection  # what close() closes
        return connection


def start(layout: Layout) -> None:
    """Start the supervisor in the background, and with it every part. Raises LauncherError with its reason."""
    supervisord = layout.venv / "bin" / "supervisord"
    commands.ask(
        [supervisord, "-c", layout.run / "supervisor.conf"],
        env=layout.environment(),
        cwd=layout.root,
        what="Starting the parts",
    )


def states(layout: Layout) -> list[PartState] | None:
    """Every part in starting order, or None where no panel runs in this state folder."""
    try:
        with _proxy(layout) as proxy:
            answer: Any = proxy.supervisor.getAllProcessInfo()
    except (FileNotFoundError, ConnectionError):
        return None
    return [
        PartState(
            name=str(info["name"]),
            state=str(info["statename"]),
            pid=int(info["pid"]),
            seconds=int(info["now"]) - int(info["start"]),
        )
        for info in answer
    ]


def pid(layout: Layout) -> int:
    """The supervisor's own process. Raises OSError where it doesn't run."""
    with _proxy(layout) as proxy:
        answer: Any = proxy.supervisor.getPID()
    return int(answer)


def stop(layout: Layout) -> bool:
    """Stop every part and the supervisor, and wait until all of them are gone. False where nothing ran."""
    if states(layout) is None:
        return False
    process = pid(layout)
    with _proxy(layout) as proxy:
        proxy.supervisor.shutdown()
    deadline = time.monotonic() + STOP_SECONDS
    while _exists(process):
        if time.monotonic() > deadline:
            raise LauncherError(f"The supervisor (process {process}) didn't end within {STOP_SECONDS} s.")
        time.sleep(0.05)
    return True


def _proxy(layout: Layout) -> xmlrpc.client.ServerProxy:
    # The address is a formality: the transport goes to the socket.
    return xmlrpc.client.ServerProxy("http://localhost", _UnixTransport(f"{layout.run}/supervisor.sock"))


def _exists(process: int) -> bool:
    """Whether the process is there and no zombie (an ended child of someone who doesn't collect it)."""
    try:
        with open(f"/proc/{process}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
