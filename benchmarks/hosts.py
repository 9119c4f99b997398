"""Do a dead host and a silent one cost the others anything, and what do a hundred hosts cost?

A panel with three hosts on a network (two over SSH, one over TCP) and a hundred images of a real one, with a thousand
running machines in all. One host's libvirtd is frozen, another disappears behind a firewall that throws everything
away; meanwhile somebody looks at pages that are not about them. Then both come back. Beside it stand bare libvirt's
connection over SSH, and a bare loop that asks all the hosts for their statistics.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import httpx

from benchmarks.hosts_stage import Stage, ask, stage
from benchmarks.report import Spread, Table, cpu_s, finish, pss_kb, say, spread

IMAGES: Final = 100
MACHINES: Final = 10
SETTLE_S: Final = 20.0
# Within a minute every host is read once from end to end.
REST_S: Final = 60.0
START_S: Final = 180.0
WAIT_S: Final = 90.0
PAGES: Final = ("/", "/machines/", "/hosts/", "/storage/", "/networks/", "/operations/", "/top/")
ROUNDS: Final = 16


class Health:
    """How the panel sees two hosts, looked up several times a second by a thread of its own."""

    def __init__(self, scene: Stage) -> None:
        self._uuids = [scene.uuids[host.name] for host in (scene.frozen, scene.cut)]
        self._client = scene.panel.api()
        self.took_s = 0.0

    @contextmanager
    def becoming(self, state: str) -> Iterator[threading.Event]:
        """While both become that; the event says that they are. Afterwards `took_s` is what the slower one took."""
        done, began = threading.Event(), time.monotonic()

        def look() -> None:
            while time.monotonic() - began < WAIT_S:
                answers = [self._client.get(f"/api/v1/hosts/{uuid}").json()["state"] for uuid in self._uuids]
                self.took_s = time.monotonic() - began
                if set(answers) == {state}:
                    break
                time.sleep(0.2)
            done.set()

        watching = threading.Thread(target=look)
        watching.start()
        yield done
        watching.join()
        if self.took_s >= WAIT_S:
            raise RuntimeError(f"the hosts were not {state} within {WAIT_S:.0f} s")


def main() -> None:
    """Measure and print the figures."""
    with tempfile.TemporaryDirectory(prefix="bh-") as folder:
        say(f"Starting {IMAGES + 3} hosts and a panel …")
        with stage(Path(folder), images=IMAGES, machines=MACHINES) as scene:
            running = settle(scene)
            figures = cost(scene, running) | connections(scene) | faults(scene)
    finish("hosts", figures)


def settle(scene: Stage) -> int:
    """Wait until every host is up and every machine measured; the number of machines that run."""
    began, wanted = time.monotonic(), IMAGES * MACHINES
    with scene.panel.api() as api:
        while (up := hosts_up(api)) < IMAGES + 3 or (running := machines_measured(api)) < wanted:
            if time.monotonic() - began > START_S:
                raise RuntimeError(
                    f"only {up} hosts are up, or not all machines measured, after {START_S:.0f} s"
                )
            time.sleep(1)
    say(f"{up} hosts are up, {running:,} machines run, after {time.monotonic() - began:.0f} s.")
    time.sleep(SETTLE_S)
    return running


def hosts_up(api: httpx.Client) -> int:
    """How many hosts the panel sees."""
    answer = api.get("/api/v1/hosts", params={"limit": 500}).raise_for_status().json()
    return sum(host["state"] == "up" for host in answer["items"])


def machines_measured(api: httpx.Client) -> int:
    """How many machines run whose use the panel knows, as of now."""
    found, page, pages = 0, 1, 1
    while page <= pages:
        answer = api.get("/api/v1/top", params={"size": 500, "page": page}).raise_for_status().json()
        found += sum(row["usage"] is not None and not row["old"] for row in answer["items"])
        page, pages = page + 1, answer["pages"]
    return found


def cost(scene: Stage, running: int) -> dict[str, float]:
    """Memory and processor time of the watcher, and those of the bare loop on the same hosts."""
    watcher = scene.panel.pids()["watcher"]
    program = [sys.executable, "-m", "benchmarks.hosts_bare", *map(str, scene.mirrors.sockets)]
    with subprocess.Popen(program) as bare:
        try:
            time.sleep(5)
            before = {pid: cpu_s(pid) for pid in (watcher, bare.pid)}
            time.sleep(REST_S)
            percent = {pid: 100 * (cpu_s(pid) - used) / REST_S for pid, used in before.items()}
            memory = {pid: pss_kb(pid) / 1024 for pid in (watcher, bare.pid)}
        finally:
            bare.kill()
    table = Table(
        f"{IMAGES + 3} hosts, {running:,} running machines", "what", "MB", "MB per host", "CPU %", "per 1,000"
    )
    for name, pid in (("the watcher", watcher), ("a bare loop", bare.pid)):
        table.row(name, memory[pid], memory[pid] / (IMAGES + 3), percent[pid], percent[pid] * 1000 / running)
    table.print()
    return {
        "watcher_mb_per_host": memory[watcher] / (IMAGES + 3),
        "cpu_percent_per_1000": percent[watcher] * 1000 / running,
    }


def connections(scene: Stage) -> dict[str, float]:
    """What a worker's connection over SSH costs."""
    took = ask(scene.panel, "benchmarks.hosts_connect", scene.healthy.name, scene.healthy.uri("ssh"))
    table = Table("A connection over SSH", "what", "the panel, ms", "bare libvirt, ms")
    table.row("opened, with the first call", took["cold"], took["bare_cold"])
    table.row("a call on an open one", took["reuse"], took["bare_reuse"])
    table.print()
    return {"connect_ssh_ms": took["cold"], "reuse_ms": took["reuse"]}


def faults(scene: Stage) -> dict[str, float]:
    """Break two hosts and mend them, with somebody looking at pages before, meanwhile and afterwards."""
    health = Health(scene)
    with scene.panel.browse() as browser:
        look(browser, rounds=3)  # caches fill
        whole = look(browser, rounds=ROUNDS)
        with health.becoming("down") as seen:
            scene.frozen.freeze()
            scene.cut.drop()
            broken = look(browser, rounds=ROUNDS, until=seen)
        down_s = health.took_s
        with health.becoming("up") as seen:
            scene.frozen.thaw()
            scene.cut.heal()
        back_s = health.took_s
        whole += look(browser, rounds=ROUNDS)
    show(spread(whole), spread(broken))
    say(
        f"Both were shown as unreachable after {down_s:.1f} s, and as up again {back_s:.1f} s after their return.\n"
    )
    return {
        "page_p95_ratio": spread(broken).p95 / spread(whole).p95,
        "down_s": down_s,
        "back_s": back_s,
    }


def look(browser: httpx.Client, *, rounds: int, until: threading.Event | None = None) -> list[float]:
    """Milliseconds of each page, `rounds` times, and on until the event if there is one."""
    times: list[float] = []
    while len(times) < rounds * len(PAGES) or (until is not None and not until.is_set()):
        for page in PAGES:
            began = time.perf_counter()
            browser.get(page).raise_for_status()
            times.append(1000 * (time.perf_counter() - began))
    return times


def show(whole: Spread, broken: Spread) -> None:
    """Pages that are about neither host."""
    table = Table("Pages not about them", "hosts", "requests", "ms (range)", "p95 ms")
    table.row("all well", whole.count, whole, whole.p95)
    table.row("one frozen, one in a black hole", broken.count, broken, broken.p95)
    table.print()


if __name__ == "__main__":
    main()
