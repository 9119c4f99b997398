"""Do a dead host and a silent one cost the others anything, and what do a hundred hosts cost?

A panel with three hosts on a network (two over SSH, one over TCP) and a hundred images of a real one, with a thousand
running machines in all. One host's libvirtd is frozen, another disappears behind a firewall that throws everything
away; meanwhile somebody looks at pages that are not about them. Then both come back. Beside it stand bare libvirt's
connection over SSH, and a bare loop that asks all the hosts for their statistics.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import threading
import time
from itertools import chain, pairwise
from pathlib import Path
from typing import Final, Self

import httpx

from benchmarks.hosts_stage import Stage, ask, stage
from benchmarks.report import Table, cpu_s, figure, finish, pss_kb, say, spread

IMAGES: Final = 100
MACHINES: Final = 10
SETTLE_S: Final = 20.0
# Within a minute every host is read once from end to end.
REST_S: Final = 60.0
START_S: Final = 180.0
WAIT_S: Final = 90.0
PAGES: Final = ("/", "/machines/", "/hosts/", "/storage/", "/networks/", "/operations/", "/top/")
ROUNDS: Final = 16
# How often the two hosts go away and come back.
TURNS: Final = 5


class Health:
    """How the panel sees two hosts, looked up several times a second by a thread of its own.

    It looks all the time, whether anything is broken or not: what that costs must be in both halves of a comparison.
    """

    def __init__(self, scene: Stage) -> None:
        self._uuids = [scene.uuids[host.name] for host in (scene.frozen, scene.cut)]
        self._client = scene.panel.api()
        self._changed = threading.Condition()
        self._states: set[str] = set()
        self._ended = False
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended = True
        self._thread.join()
        self._client.close()

    def _look(self) -> None:
        while not self._ended:
            answers = [self._client.get(f"/api/v1/hosts/{uuid}").json()["state"] for uuid in self._uuids]
            with self._changed:
                self._states = set(answers)
                self._changed.notify_all()
            time.sleep(0.2)

    def are(self, state: str) -> bool:
        """Whether both were so when last looked up."""
        return self._states == {state}

    def until(self, state: str, *, since: float) -> float:
        """Seconds that the slower of the two took from `since` (monotonic) to become so. Raises RuntimeError."""
        with self._changed:
            if not self._changed.wait_for(lambda: self.are(state), WAIT_S):
                raise RuntimeError(f"the hosts were not {state} within {WAIT_S:.0f} s")
        return time.monotonic() - since


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
    """Break two hosts and mend them, with somebody looking at pages all the while; several times.

    Each time without them is compared with the times before and after it: over minutes a machine's own speed differs by
    more than what is to be shown.
    """
    down: list[float] = []
    back: list[float] = []
    broken: list[list[float]] = []
    with scene.panel.browse() as browser, Health(scene) as health:
        look(browser, rounds=3)  # caches fill
        whole = [look(browser, rounds=ROUNDS)]
        for _ in range(TURNS):
            began = time.monotonic()
            scene.frozen.freeze()
            scene.cut.drop()
            times, seen = look_until(browser, health, "down")
            broken.append(times)
            down.append(seen - began)
            began = time.monotonic()
            scene.frozen.thaw()
            scene.cut.heal()
            back.append(health.until("up", since=began))
            whole.append(look(browser, rounds=ROUNDS))
    around = [before + after for before, after in pairwise(whole)]
    ratios = [spread(bad).p95 / spread(good).p95 for bad, good in zip(broken, around, strict=True)]
    show(whole, broken, ratios)
    show_delays(down, back)
    return {
        "page_p95_ratio": statistics.median(ratios),
        "down_s": max(down),
        "back_s": max(back),
    }


def look(browser: httpx.Client, *, rounds: int) -> list[float]:
    """Milliseconds of each page, `rounds` times."""
    times: list[float] = []
    for page in PAGES * rounds:
        began = time.perf_counter()
        browser.get(page).raise_for_status()
        times.append(1000 * (time.perf_counter() - began))
    return times


def look_until(browser: httpx.Client, health: Health, state: str) -> tuple[list[float], float]:
    """The same at least `ROUNDS` times and until both hosts are so, with the moment when they were (monotonic)."""
    times: list[float] = []
    seen, began = 0.0, time.monotonic()
    while len(times) < ROUNDS * len(PAGES) or not seen:
        times += look(browser, rounds=1)
        if not seen and health.are(state):
            seen = time.monotonic()
        if not seen and time.monotonic() - began > WAIT_S:
            raise RuntimeError(f"the hosts were not {state} within {WAIT_S:.0f} s")
    return times, seen


def show(whole: list[list[float]], broken: list[list[float]], ratios: list[float]) -> None:
    """Pages that are about neither host."""
    table = Table(f"Pages not about them, in {TURNS} turns", "hosts", "requests", "ms (range)", "p95 ms")
    for name, samples in {"all well": whole, "one frozen, one in a black hole": broken}.items():
        every = spread(chain.from_iterable(samples))
        table.row(name, every.count, every, every.p95)
    table.print()
    say(f"p95 without them ÷ p95 just before and after, in each turn: {', '.join(map(figure, ratios))}\n")


def show_delays(down: list[float], back: list[float]) -> None:
    """When both were seen as they were; the slower one counts."""
    table = Table("Until the panel says so", "what", "s (range)", "slowest, s")
    table.row("unreachable", spread(down), max(down))
    table.row("up again", spread(back), max(back))
    table.print()


if __name__ == "__main__":
    main()
