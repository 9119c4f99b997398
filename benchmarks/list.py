"""How long does the list of machines take at 10,000 machines on 100 hosts, 30 of them unreachable?

Real uvicorn processes on real databases, one with 100 machines and one with 10,000, and a bare Django view of the same
fifty rows; asked in turns, so that what else the computer does hits all alike. The time is the client's, over a unix
socket: from the first byte sent to the last received, uvicorn and all middleware included. PostgreSQL is measured
too where it is installed; the figures are SQLite's, the default.
"""

from __future__ import annotations

import http.client
import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from benchmarks.report import Table, finish, say, spread

os.environ["PANEL_TEST_DATABASE"] = "postgresql" if Path("/usr/lib/postgresql").is_dir() else ""
from tests import environment  # noqa: E402  (a state folder of this run's own, with Redis and PostgreSQL in it)

ROUNDS: Final = 12
REQUESTS: Final = 10
START_TIMEOUT_S: Final = 30.0
PEOPLE: Final = ("operator", "member")
VARIANTS: Final = {
    "first page": "",
    "page 180": "?page=180",
    "off": "?state=off",
    "search": "?q=web",
    "by memory": "?sort=-memory",
    "by host": "?sort=host",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """A running server, and for each person how to ask it."""

    socket: Path
    people: dict[str, dict[str, Any]]

    def ask(self, person: str, query: str = "", *, count: int = REQUESTS) -> list[float]:
        """Milliseconds of `count` requests over one connection."""
        connection = _UnixConnection(self.socket)
        session = self.people[person]["session"] if person in self.people else ""
        headers = {
            "Host": "localhost",
            "X-Forwarded-Proto": "https",
            "Cookie": f"__Host-panel-session={session}",
        }
        times = []
        for _ in range(count):
            began = time.perf_counter()
            connection.request("GET", f"/machines/{query}", headers=headers)
            answer = connection.getresponse()
            answer.read()
            times.append(1000 * (time.perf_counter() - began))
            if answer.status != http.HTTPStatus.OK:
                raise RuntimeError(f"{query or 'the list'} answered {answer.status}")
        connection.close()
        return times


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("localhost")
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(30)
        self.sock.connect(str(self._path))


def main() -> None:
    """Measure both databases and print the figures."""
    subprocess.run([sys.executable, "manage.py", "collectstatic", "--no-input", "-v", "0"], check=True)
    postgresql = os.environ.pop("DATABASE_URL", "")
    figures = measure(
        "SQLite", f"sqlite://{environment.STATE}/small.db", f"sqlite://{environment.STATE}/large.db"
    )
    if postgresql:
        measure("PostgreSQL", *(_database(postgresql, name) for name in ("small", "large")))
    finish("list", figures)


def measure(engine: str, small_url: str, large_url: str) -> dict[str, float]:
    """All measurements on one database engine."""
    say(f"Filling two databases ({engine}) …")
    with ExitStack() as stack:
        small = stack.enter_context(site(small_url, fill(small_url, machines=100, hosts=10, teams=2)))
        large = stack.enter_context(site(large_url, fill(large_url, machines=10_000, hosts=100, teams=20)))
        bare = stack.enter_context(site(large_url, {}, settings="benchmarks.list_bare"))
        times: dict[tuple[str, str], list[float]] = {}
        for _ in range(ROUNDS):
            for person in PEOPLE:
                times.setdefault(("100", person), []).extend(small.ask(person))
                times.setdefault(("10,000", person), []).extend(large.ask(person))
            times.setdefault(("10,000", "bare view"), []).extend(bare.ask("anybody"))
        show(engine, large, times)
        variants(engine, large)
    p95 = {key: spread(samples).p95 for key, samples in times.items()}
    return {
        "p95_ms": max(p95["10,000", person] for person in PEOPLE),
        "queries": max(large.people[person]["queries"] for person in PEOPLE),
        "compressed_kb": max(large.people[person]["compressed_kb"] for person in PEOPLE),
        "growth": max(p95["10,000", person] / p95["100", person] for person in PEOPLE),
        "over_bare": max(p95["10,000", person] for person in PEOPLE) / p95["10,000", "bare view"],
    }


def show(engine: str, large: Site, times: dict[tuple[str, str], list[float]]) -> None:
    """The first page, person by person, and the bare view."""
    table = Table(
        f"{engine}: first page of the list", "machines, person", "ms (range)", "p95 ms", "queries", "kB"
    )
    for (machines, person), samples in times.items():
        result, costs = spread(samples), large.people.get(person, {}) if machines != "100" else {}
        table.row(
            f"{machines}, {person}",
            result,
            result.p95,
            costs.get("queries", ""),
            costs.get("compressed_kb", ""),
        )
    table.print()


def variants(engine: str, large: Site) -> None:
    """What else people ask of the list, at 10,000 machines, as the operator."""
    table = Table(
        f"{engine}: filters, sorts and pages at 10,000 machines", "asked for", "ms (range)", "p95 ms"
    )
    for name, query in VARIANTS.items():
        result = spread(large.ask("operator", query, count=30))
        table.row(name, result, result.p95)
    table.print()


def fill(url: str, *, machines: int, hosts: int, teams: int) -> dict[str, dict[str, Any]]:
    """Fill the database at `url`; what `benchmarks.list_inventory` says of it."""
    command = [sys.executable, "-m", "benchmarks.list_inventory", str(machines), str(hosts), str(teams)]
    answer = subprocess.run(command, env=_environment(url), stdout=subprocess.PIPE, text=True, check=True)
    people: dict[str, dict[str, Any]] = json.loads(answer.stdout.splitlines()[-1])
    if any(people[person]["rows"] != 50 for person in PEOPLE):
        raise RuntimeError("the pages compared do not all have fifty rows")
    return people


@contextmanager
def site(
    url: str, people: dict[str, dict[str, Any]], *, settings: str = "kvmpanel.settings"
) -> Iterator[Site]:
    """A server as the panel starts it, on a socket of its own, warmed up."""
    path = environment.STATE / "run" / f"{secrets.token_hex(4)}.sock"
    command = [sys.executable, "-m", "uvicorn", "kvmpanel.asgi:application", "--uds", str(path)]
    manners = ["--lifespan", "off", "--no-access-log", "--log-level", "warning"]
    server = subprocess.Popen([*command, *manners], env=_environment(url, settings))
    try:
        _wait_for(path)
        running = Site(socket=path, people=people)
        for person in people or ("anybody",):
            running.ask(person, count=20)
        yield running
    finally:
        server.terminate()
        server.wait(timeout=START_TIMEOUT_S)


def _environment(url: str, settings: str = "kvmpanel.settings") -> dict[str, str]:
    return {**os.environ, "DATABASE_URL": url, "DJANGO_SETTINGS_MODULE": settings}


def _wait_for(path: Path) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while not path.exists():
        if time.monotonic() > deadline:
            raise TimeoutError("the server did not start")
        time.sleep(0.05)


def _database(url: str, name: str) -> str:
    """A new database beside the one at `url`."""
    psql = shutil.which("psql") or "psql"
    host = url.partition("host=")[2]
    subprocess.run(
        [psql, "-q", "-h", host, "-U", "panel", "postgres", "-c", f"CREATE DATABASE {name}"], check=True
    )
    return f"postgresql://panel@/{name}?host={host}"


if __name__ == "__main__":
    main()
