"""Where everything is: the checkout, the state folder and what the environment says (docs/settings.md)."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from launcher import addresses
from launcher.say import LauncherError

ROOT = Path(__file__).resolve().parent.parent
# sun_path holds 107 bytes (unix(7)); "/run/supervisor.sock" and supervisord's ".<pid>" suffix need 30 of them.
LONGEST_STATE_DIR = 77
# What needs no quoting in nginx's, Redis's and supervisord's configuration, nor in a unix: address.
PLAIN_PATH = re.compile(r"[A-Za-z0-9_./+@~-]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """One panel: a checkout with a state folder, a port and the names it answers to."""

    root: Path
    state: Path
    port: int
    hostnames: tuple[str, ...]
    redis_url: str
    libvirt_socket: str

    @property
    def venv(self) -> Path:
        """The panel's own Python packages."""
        return self.root / ".venv"

    @property
    def python(self) -> Path:
        """The interpreter every part runs in."""
        return self.venv / "bin" / "python"

    @property
    def run(self) -> Path:
        """Sockets and generated configuration; its content is made anew by each `up`."""
        return self.state / "run"

    @property
    def log(self) -> Path:
        """One file per part, turned over by the supervisor."""
        return self.state / "log"

    @property
    def secrets(self) -> Path:
        """One 0600 file per secret."""
        return self.state / "secrets"

    @property
    def tls(self) -> Path:
        """panel.crt and panel.key."""
        return self.state / "tls"

    @property
    def addresses(self) -> list[str]:
        """Where a browser finds the panel, the best address first."""
        suffix = "" if self.port == 443 else f":{self.port}"
        return [f"https://{name}{suffix}/" for name in self.hostnames]

    def make_folders(self) -> None:
        """Create the state folder and what is in it, for its owner alone also where it was open to others before."""
        kept = (self.state / "uploads", self.state / "exports")
        for folder in (self.state, self.run, self.log, self.secrets, self.tls, *kept):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if folder.stat().st_mode & 0o077:
                folder.chmod(0o700)

    def environment(self) -> dict[str, str]:
        """What every part finds in its environment: the caller's own, and this panel's settings.

        Python keeps what it compiled, whatever the caller set: each part would compile the whole site at each start.
        """
        inherited = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        return {
            **inherited,
            "PANEL_STATE_DIR": str(self.state),
            "PANEL_PORT": str(self.port),
            "PANEL_HOSTNAMES": ",".join(self.hostnames),
            "DJANGO_SETTINGS_MODULE": "kvmpanel.settings",
            "PYTHONUNBUFFERED": "1",
            # glibc gives each thread a heap of its own; two are enough here and save 10 MB a process.
            "MALLOC_ARENA_MAX": "2",
            # Celery gives up children that a rush had forked after so many seconds without any task. By its own 30 it
            # never would: something runs by the clock every ten.
            "AUTOSCALE_KEEPALIVE": "4",
        }


def read(environ: Mapping[str, str], *, port: int | None = None) -> Layout:
    """The panel that `environ` describes; `port` goes before PANEL_PORT. Raises LauncherError for what can't work."""
    state = Path(environ.get("PANEL_STATE_DIR") or ROOT / "var").expanduser().absolute()
    for path in (ROOT, state):
        if not PLAIN_PATH.fullmatch(str(path)):
            raise LauncherError(
                f"The folder {path} has a space or a sign in its name that not every part can read."
            )
    if len(os.fsencode(state)) > LONGEST_STATE_DIR:
        raise LauncherError(
            f"The state folder {state} has a name longer than {LONGEST_STATE_DIR} bytes, too long for the "
            "sockets in it: choose a shorter one with PANEL_STATE_DIR."
        )
    names = tuple(name.strip() for name in environ.get("PANEL_HOSTNAMES", "").split(",") if name.strip())
    return Layout(
        root=ROOT,
        state=state,
        port=_port(environ.get("PANEL_PORT") or "8443") if port is None else port,
        hostnames=names or addresses.own_names(),
        redis_url=environ.get("REDIS_URL", ""),
        libvirt_socket=environ.get("PANEL_LIBVIRT_SOCKET", ""),
    )


def _port(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= 65535:
        raise LauncherError(f"PANEL_PORT is {text!r}: give a number from 1 to 65535.")
    return int(text)
