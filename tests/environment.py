"""Loaded before Django's settings: a state folder of the test run's own, with secrets, and a real Redis in it.

`PANEL_TEST_DATABASE=postgresql` runs everything on a private PostgreSQL cluster instead of SQLite.

Where several workers share the tests (pytest-xdist) each of them is such a run, with one exception: the cluster is the
controller's, and in it each worker has a database of its own.
"""

from __future__ import annotations

import atexit
import base64
import os
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

STATE = Path(tempfile.mkdtemp(prefix="panel-test-"))
IS_WORKER = "PYTEST_XDIST_WORKER" in os.environ
_children: list[subprocess.Popen[bytes]] = []


def _prepare() -> None:
    for name in ("run", "log", "secrets", "uploads", "static"):
        (STATE / name).mkdir(mode=0o700)
    for name in ("django_secret_key", "redis_password"):
        (STATE / "secrets" / name).write_text(secrets.token_urlsafe(32))
    (STATE / "secrets" / "sealing_keys").write_text(
        base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()
    )
    os.environ["PANEL_STATE_DIR"] = str(STATE)
    os.environ.pop("REDIS_URL", None)
    os.environ["PANEL_HOSTNAMES"] = "localhost,127.0.0.1,testserver"
    os.environ["PANEL_LOG_LEVEL"] = "ERROR"
    start_redis()
    if IS_WORKER:
        return  # DATABASE_URL is the controller's
    os.environ.pop("DATABASE_URL", None)
    if os.environ.get("PANEL_TEST_DATABASE") == "postgresql":
        os.environ["DATABASE_URL"] = _start_postgresql()


def start_redis() -> None:
    """Start the run's Redis; also after a test has killed the one before."""
    password = (STATE / "secrets" / "redis_password").read_text()
    config = STATE / "redis.conf"
    config.write_text(
        f'port 0\nunixsocket {STATE}/run/redis.sock\nunixsocketperm 700\ndir {STATE}\nsave ""\nrequirepass {password}\n'
    )
    _children.append(subprocess.Popen(["redis-server", str(config)], stdout=subprocess.DEVNULL))
    _wait_for(STATE / "run" / "redis.sock")


def _start_postgresql() -> str:
    """A cluster in the state folder, owned by `postgres` where we are root, as initdb refuses to be."""
    binaries = sorted(Path("/usr/lib/postgresql").glob("*/bin"))[-1]
    data, sockets = STATE / "postgresql", STATE / "run"
    become: list[str] = []
    if os.geteuid() == 0:
        become = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
        STATE.chmod(0o755)
        sockets = STATE / "pg"
        sockets.mkdir()
        data.mkdir()
        for path in (data, sockets):
            shutil.chown(path, "postgres", "postgres")
    options = ["-A", "trust", "-U", "panel", "--no-sync", "-E", "UTF8", "--locale=C.UTF-8"]
    subprocess.run(
        [*become, binaries / "initdb", "-D", data, *options], check=True, stdout=subprocess.DEVNULL
    )
    # Eight workers of the tests, each with a panel's processes and their pools, are more than the usual 100.
    settings = ("listen_addresses=", f"unix_socket_directories={sockets}", "fsync=off", "max_connections=400")
    given = [word for setting in settings for word in ("-c", setting)]
    server = [*become, str(binaries / "postgres"), "-D", str(data), *given]
    with (STATE / "log" / "postgresql").open("wb") as log:
        _children.append(subprocess.Popen(server, stderr=log))
    _wait_for(sockets / ".s.PGSQL.5432")
    return f"postgresql://panel@/postgres?host={sockets}"


def _wait_for(path: Path) -> None:
    for _ in range(200):
        if path.exists():
            return
        time.sleep(0.05)
    raise RuntimeError(f"{path} did not appear")


def _clean_up() -> None:
    for child in _children:
        child.send_signal(signal.SIGINT)  # PostgreSQL's fast shutdown: SIGTERM waits for open connections
    for child in _children:
        child.wait(timeout=30)
    shutil.rmtree(STATE, ignore_errors=True)


_prepare()
atexit.register(_clean_up)
