"""The panel's parts: which processes there are, how each is started, and the configuration they read."""

import configparser
import os
import string
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from launcher import addresses
from launcher.layout import Layout
from launcher.secrets import write_private

TEMPLATES = Path(__file__).parent / "templates"
NGINX = "/usr/sbin/nginx"
REDIS = "/usr/bin/redis-server"
LOG_BYTES = 10 * 1024 * 1024
LOG_FILES = 3
# Longer than a part takes to fail at its start: imports take two seconds on a slow machine.
STEADY_SECONDS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One supervised process. Lower `rank` starts earlier and stops later."""

    name: str
    command: tuple[str, ...]
    rank: int
    stop_signal: str = "TERM"
    stop_seconds: int = 10


class _ConfigTemplate(string.Template):
    """Placeholders written @{name}: nginx's own variables begin with a dollar sign."""

    delimiter = "@"


def parts(layout: Layout) -> Iterator[Part]:
    """Every part of this panel; no Redis of our own where REDIS_URL names another."""
    run, python = layout.run, str(layout.python)
    if not layout.redis_url:
        yield Part(name="redis", command=(REDIS, f"{run}/redis.conf"), rank=10)
    yield Part(name="web", command=_web(layout), rank=20)
    yield Part(name="worker", command=(python, "-m", "kvmpanel.worker"), rank=20, stop_seconds=20)
    yield Part(name="console", command=(python, "-m", "console.proxy"), rank=20)
    yield Part(name="beat", command=(python, "-m", "kvmpanel.schedule", f"{run}/beat"), rank=30)
    yield Part(name="watcher", command=(python, "manage.py", "watch"), rank=30)
    nginx = (NGINX, "-p", f"{layout.state}/nginx/", "-c", f"{run}/nginx.conf", "-e", "stderr")
    yield Part(name="nginx", command=nginx, rank=30, stop_signal="QUIT", stop_seconds=3)


def _web(layout: Layout) -> tuple[str, ...]:
    uvicorn = (str(layout.venv / "bin" / "uvicorn"), "kvmpanel.asgi:application")
    # nginx is the only one who can reach the socket, so its X-Forwarded-For is believed.
    door = ("--uds", f"{layout.run}/web.sock", "--proxy-headers", "--forwarded-allow-ips", "*")
    # Without compression a client that stops reading can't make the process grow.
    sockets = ("--ws", "websockets-sansio", "--ws-per-message-deflate", "false", "--ws-max-size", "65536")
    manners = ("--lifespan", "off", "--no-access-log", "--no-server-header", "--log-level", "warning")
    return (*uvicorn, *door, *sockets, *manners, "--timeout-graceful-shutdown", "3")


def write_configuration(layout: Layout) -> None:
    """Write what nginx, Redis and the supervisor read into the run folder, each file for its owner alone."""
    for folder in ("redis", "nginx", "static"):
        (layout.state / folder).mkdir(mode=0o700, exist_ok=True)
    values = {
        "state": str(layout.state),
        "run": str(layout.run),
        "templates": str(TEMPLATES),
        "port": str(layout.port),
        # As root nginx would hand its workers to www-data, which can't reach what belongs to root alone.
        "user": "user root root;" if os.geteuid() == 0 else "",
        "listen_ipv6": f"listen [::]:{layout.port} ssl http2;" if addresses.has_ipv6() else "",
        "redis_password": (layout.secrets / "redis_password").read_text(),
    }
    for name in ("nginx.conf", "redis.conf"):
        template = _ConfigTemplate((TEMPLATES / name).read_text())
        write_private(layout.run / name, template.substitute(values))
    _write_supervisor_configuration(layout)


def _write_supervisor_configuration(layout: Layout) -> None:
    config = configparser.RawConfigParser()
    config["supervisord"] = {
        "logfile": f"{layout.log}/supervisor.log",
        "logfile_maxbytes": str(LOG_BYTES),
        "logfile_backups": str(LOG_FILES),
        "pidfile": f"{layout.run}/supervisor.pid",
        "childlogdir": str(layout.log),
        "directory": str(layout.root),
        "umask": "077",
    }
    config["unix_http_server"] = {"file": f"{layout.run}/supervisor.sock", "chmod": "0600"}
    config["rpcinterface:supervisor"] = {
        "supervisor.rpcinterface_factory": "supervisor.rpcinterface:make_main_rpcinterface"
    }
    for part in parts(layout):
        config[f"program:{part.name}"] = {
            "command": " ".join(part.command).replace("%", "%%"),
            "directory": str(layout.root),
            "priority": str(part.rank),
            "autorestart": "true",
            # Waits one second longer after each failure and never gives up: what it needs may come back.
            "startretries": "1000000",
            "startsecs": str(STEADY_SECONDS),
            "stopsignal": part.stop_signal,
            "stopwaitsecs": str(part.stop_seconds),
            "killasgroup": "true",
            "redirect_stderr": "true",
            "stdout_logfile": f"{layout.log}/{part.name}.log",
            "stdout_logfile_maxbytes": str(LOG_BYTES),
            "stdout_logfile_backups": str(LOG_FILES),
        }
    with (layout.run / "supervisor.conf").open("w") as file:
        config.write(file)
