"""How soon does an open page show what somebody did with virsh?

Measured from the moment a bare libvirt listener, a process of its own, hears the event to the moment a
MutationObserver in Chromium sees the new state in the machine's page. On the way: the watcher reads the machine and
writes the row, a hint goes over Redis, the site renders the piece for this person, nginx passes it on.
Both ends are brought to one clock (CLOCK_MONOTONIC): Chromium's is compared with ours before and after.
"""

from __future__ import annotations

import random
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from uuid import UUID

import libvirt
from playwright.sync_api import Page

from benchmarks.report import Table, finish, say, spread
from tests.lab.browser import chromium
from tests.lab.host import LabHost
from tests.lab.machines import Machine, machine
from tests.lab.panel import Panel

ROUNDS: Final = 10
PAUSE_S: Final = (0.3, 0.9)
TIMEOUT_S: Final = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What virsh does, the lifecycle event that tells of it, and the word that the page then shows."""

    command: str
    event: int
    word: str


CHANGES: Final = (
    Change(command="start", event=libvirt.VIR_DOMAIN_EVENT_STARTED, word="Running"),
    Change(command="suspend", event=libvirt.VIR_DOMAIN_EVENT_SUSPENDED, word="Paused"),
    Change(command="resume", event=libvirt.VIR_DOMAIN_EVENT_RESUMED, word="Running"),
    Change(command="destroy", event=libvirt.VIR_DOMAIN_EVENT_STOPPED, word="Off"),
)

# Notes, by the page's own clock, when the state's word changed.
OBSERVER: Final = """() => {
  const word = () => document.querySelector(".machine-state")?.textContent.trim();
  window.seen = [];
  let last = word();
  new MutationObserver(() => {
    const now = word();
    if (now && now !== last) window.seen.push([last = now, performance.now()]);
  }).observe(document.body, { subtree: true, childList: true, characterData: true });
}"""


class Listener:
    """A process that does nothing but hear lifecycle events and say when, by CLOCK_MONOTONIC."""

    def __init__(self, host: LabHost) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.push", "listen", host.uri], stdout=subprocess.PIPE, text=True
        )
        self._heard: dict[tuple[UUID, int], float] = {}
        self._news = threading.Condition()
        threading.Thread(target=self._collect, daemon=True).start()

    def moment(self, uuid: UUID, event: int, *, since: float) -> float:
        """When the event was heard; waits for it."""
        with self._news:
            if not self._news.wait_for(lambda: self._heard.get((uuid, event), 0) > since, timeout=TIMEOUT_S):
                raise TimeoutError(f"No event {event} of {uuid}.")
            return self._heard[uuid, event]

    def end(self) -> None:
        """Stop it."""
        self._process.kill()
        self._process.wait()

    def _collect(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            uuid, event, at = line.split()
            with self._news:
                self._heard[UUID(uuid), int(event)] = float(at)
                self._news.notify_all()


def listen(uri: str) -> None:
    """The listener's process."""

    def tell(_connection: object, domain: libvirt.virDomain, event: int, *_: object) -> None:
        at = time.monotonic()
        say(f"{domain.UUIDString()} {event} {at}")

    libvirt.virEventRegisterDefaultImpl()
    connection = libvirt.open(uri)
    connection.domainEventRegisterAny(None, libvirt.VIR_DOMAIN_EVENT_ID_LIFECYCLE, tell, None)
    while True:
        libvirt.virEventRunDefaultImpl()


@contextmanager
def open_page(panel: Panel, path: str) -> Iterator[Page]:
    """A real browser, signed in, on one page with its live socket connected."""
    with tempfile.TemporaryDirectory() as folder, chromium(Path(folder)) as browser:
        page = browser.new_context(ignore_https_errors=True).new_page()
        page.goto(f"{panel.url}{path}")
        page.fill("[name=username]", panel.username)
        page.fill("[name=password]", panel.password)
        page.click("main button")
        page.wait_for_selector(".machine-state")
        page.wait_for_selector("#live-mark[data-state=on]")
        yield page


def wait_until_known(panel: Panel, uuid: UUID) -> None:
    """Until the panel has the machine's page."""
    with panel.browse() as browser:
        for _ in range(100):
            if browser.get(f"/machines/{uuid}/").status_code == 200:
                return
            time.sleep(0.1)
    raise TimeoutError(f"The panel does not know {uuid}.")


def clock_offset(page: Page) -> tuple[float, float]:
    """What to add to the page's seconds to get ours, and how wrong that may be: half the fastest round trip."""
    best = (float("inf"), 0.0)
    for _ in range(100):
        before = time.monotonic()
        theirs = page.evaluate("performance.now()") / 1000
        after = time.monotonic()
        best = min(best, ((after - before) / 2, (before + after) / 2 - theirs))
    error, offset = best
    return offset, error


def measure(page: Page, listener: Listener, changing: Machine, offset: float) -> dict[str, list[float]]:
    """Milliseconds from event to screen, by command."""
    took: dict[str, list[float]] = {change.command: [] for change in CHANGES}
    page.evaluate(OBSERVER)
    for _ in range(ROUNDS):
        for change in CHANGES:
            time.sleep(random.uniform(*PAUSE_S))
            page.evaluate("window.seen = []")
            began = time.monotonic()
            changing.virsh(change.command)
            heard = listener.moment(changing.uuid, change.event, since=began)
            shown = page.wait_for_function(
                "word => window.seen.find(([seen]) => seen.startsWith(word))?.[1]",
                arg=change.word,
                timeout=1000 * TIMEOUT_S,
            ).json_value()
            took[change.command].append(1000 * (shown / 1000 + offset - heard))
    return took


def main() -> None:
    """Run it all on a private libvirt host and a private panel."""
    with tempfile.TemporaryDirectory(prefix="push-") as folder, LabHost(Path(folder, "host")) as host:
        say("Starting a panel …")
        with (
            Panel(Path(folder, "panel"), libvirt_socket=host.socket) as panel,
            machine(host, "push") as changing,
        ):
            wait_until_known(panel, changing.uuid)
            listener = Listener(host)
            try:
                with open_page(panel, f"/machines/{changing.uuid}/") as page:
                    offset, error = clock_offset(page)
                    took = measure(page, listener, changing, offset)
                    drift = abs(clock_offset(page)[0] - offset)
            finally:
                listener.end()
    table = Table(
        "From the event, as a bare listener hears it, to the changed page", "virsh", "n", "ms", "p95"
    )
    for command, samples in took.items():
        table.row(command, len(samples), spread(samples), spread(samples).p95)
    together = spread([sample for samples in took.values() for sample in samples])
    table.row("all", together.count, together, together.p95)
    table.print()
    say(
        f"The two clocks agree within {1000 * error:.2f} ms and drifted by {1000 * drift:.2f} ms meanwhile.\n"
    )
    finish("push", {"p95_ms": together.p95, "median_ms": together.median, "changes": together.count})


if __name__ == "__main__":
    if sys.argv[1:2] == ["listen"]:
        listen(sys.argv[2])
    else:
        main()
