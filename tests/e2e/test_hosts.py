"""Many hosts in a real browser: one is added over SSH, a machine is seen, moved and sent away on others."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.e2e.test_look import CONTRAST, NAMELESS
from tests.eventually import eventually
from tests.lab.guest import tiny_guest
from tests.lab.host import LabHost
from tests.lab.lab import Lab
from tests.lab.machines import Machine, machine
from tests.lab.panel import Panel
from tests.lab.remote import RemoteHost

SOON_MS = 60_000
LATER_MS = 180_000
LATER_S = 180

# Every phase that the console went through, for what is over before a test can look.
REMEMBER_PHASES = """() => {
    const console = document.getElementById("console");
    window.phases = [console.dataset.phase];
    new MutationObserver(() => window.phases.push(console.dataset.phase))
        .observe(console, { attributeFilter: ["data-phase"] });
}"""

Stage = tuple[Panel, Lab]


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    root = tmp_path_factory.mktemp("hosts")
    with (
        Lab(root / "net") as lab,
        LabHost(root / "lab") as here,
        Panel(root / "state", libvirt_socket=here.socket) as panel,
    ):
        lab.up(3)
        for host in lab.hosts:
            host.deauthorize()
        yield panel, lab


@pytest.fixture(scope="module")
def api(stage: Stage) -> Iterator[httpx.Client]:
    with stage[0].api() as client:
        yield client


@pytest.fixture(scope="module")
def pair(stage: Stage, api: httpx.Client) -> list[dict[str, Any]]:
    """The first two hosts of the lab, added by a program; this machine takes nothing."""
    for host in api.get("/api/v1/hosts").json()["items"]:
        if host["transport"] == "local":
            api.put(f"/api/v1/hosts/{host['uuid']}/maintenance", json={"on": True}).raise_for_status()
    return [join(api, host) for host in stage[1].hosts[:2]]


@pytest.fixture
def running(stage: Stage, api: httpx.Client, pair: list[dict[str, Any]]) -> Iterator[Machine]:
    """A machine on the first of them, in the panel's inventory."""
    with machine(stage[1].hosts[0], "web1", guest=tiny_guest()) as made:
        made.virsh("start")
        eventually(lambda: seen(api, made).get("state") == "running", within_s=LATER_S)
        yield made
        for host in stage[1].hosts:  # wherever it went
            Machine(host, made.uuid).host.exec(
                "sh", "-c", f"virsh destroy {made.uuid}; virsh undefine {made.uuid}; true"
            )


def join(api: httpx.Client, host: RemoteHost) -> dict[str, Any]:
    """Add a host over SSH, confirm its key and let the panel in."""
    given = {"address": host.ip, "name": host.name, "username": "root"}
    added = api.post("/api/v1/hosts", json=given).raise_for_status().json()
    path = f"/api/v1/hosts/{added['uuid']}"
    host.authorize(api.get(f"{path}/access").json()["ssh_public_key"])
    offered = eventually(lambda: api.get(f"{path}/access").json()["host_key_offered"], within_s=LATER_S)
    api.put(f"{path}/access/host-key", json={"fingerprint": offered}).raise_for_status()
    eventually(lambda: api.get(path).json()["state"] == "up", within_s=LATER_S)
    found: dict[str, Any] = api.get(path).json()
    return found


def seen(api: httpx.Client, made: Machine) -> dict[str, Any]:
    answer = api.get(f"/api/v1/domains/{made.uuid}")
    found: dict[str, Any] = answer.json() if answer.is_success else {}
    return found


def is_on(api: httpx.Client, made: Machine, host: dict[str, Any]) -> bool:
    found = seen(api, made)
    return bool(found) and found["host"]["uuid"] == host["uuid"] and found["state"] == "running"


def expect_check(page: Page, key: str, state: str) -> None:
    wanted = page.locator(f"[data-check={key}].check-{state}")
    expect(wanted).to_have_count(1, timeout=LATER_MS)


def move(page: Page, panel: Panel, made: Machine, *, to: dict[str, Any]) -> None:
    """By the machine's page "Move"."""
    page.goto(f"{panel.url}/machines/{made.uuid}/")
    page.get_by_role("link", name="Move").click()
    page.locator("[name=target]").select_option(value=to["uuid"])
    button = page.get_by_role("button", name="Move it")
    expect(button).to_be_enabled(timeout=LATER_MS)
    button.click()


def faults_of(page: Page) -> dict[tuple[str, int], list[str]]:
    """What can't be read, reached or named on this page, and on the host's own, by theme and width."""
    faults = {}
    for address in (page.url, page.url.removesuffix("checks/")):
        for theme, width in (("light", 1400), ("dark", 390)):
            page.set_viewport_size({"width": width, "height": 900})
            page.emulate_media(color_scheme="dark" if theme == "dark" else "light")
            page.goto(address)
            expect(page.locator("h1")).to_have_count(1)
            found = [*page.evaluate(CONTRAST), *page.evaluate(NAMELESS)]
            if page.evaluate("document.documentElement.scrollWidth") > width:
                found.append(f"wider than {width} px")
            if found:
                faults[address, width] = found
    return faults


@pytest.mark.timeout(900)
class TestAdding:
    def test_a_check_fails_is_mended_and_passes_without_a_reload(self, stage: Stage, page: Page) -> None:
        panel, lab = stage
        bare = lab.hosts[2]
        page.goto(f"{panel.url}/hosts/")
        page.get_by_role("link", name="Add a host").click()
        page.get_by_label("Address").fill(bare.ip)
        page.get_by_label("User").fill("root")
        page.get_by_label("Name").fill("kvm3")
        page.get_by_role("button", name="Add and check").click()

        expect_check(page, "port", "passed")
        expect_check(page, "host_key", "failed")
        page.evaluate("window.never_reloaded = true")
        page.get_by_role("button", name="This is its key").click()
        expect_check(page, "sign_in", "failed")

        key = page.locator("[aria-labelledby=key-title] code").first.inner_text()
        bare.authorize(key)
        page.get_by_role("button", name="Check again: Sign-in").click()

        for check in ("sign_in", "libvirt", "pool", "network", "clock", "console"):
            expect_check(page, check, "passed")
        expect_check(page, "kvm", "warning")  # the lab's processors can't
        assert page.evaluate("window.never_reloaded")
        assert faults_of(page) == {}
        page.goto(f"{panel.url}/hosts/")
        row = page.locator("tr", has_text="kvm3")
        expect(row.locator(".state").first).to_have_text("Up", timeout=LATER_MS)


@pytest.mark.timeout(900)
class TestMoving:
    def test_the_console_follows_a_machine_to_another_host(
        self, stage: Stage, page: Page, api: httpx.Client, pair: list[dict[str, Any]], running: Machine
    ) -> None:
        panel, _ = stage
        page.goto(f"{panel.url}/console/{running.uuid}/")
        screen = page.locator("#console")
        expect(screen).to_have_attribute("data-phase", "open", timeout=LATER_MS)
        expect(page.locator("#console-screen canvas")).to_be_visible()
        page.evaluate(REMEMBER_PHASES)
        other_tab = page.context.new_page()

        move(other_tab, panel, running, to=pair[1])

        eventually(partial(is_on, api, running, pair[1]), within_s=LATER_S)
        came_back = partial(page.evaluate, "phases.length > 1 && phases.at(-1) === 'open'")
        eventually(came_back, within_s=LATER_S)
        expect(page.locator("#console-screen canvas")).to_be_visible()

    def test_a_host_is_emptied_for_its_maintenance(
        self, stage: Stage, page: Page, api: httpx.Client, pair: list[dict[str, Any]], running: Machine
    ) -> None:
        panel, _ = stage
        here = pair[0]
        page.goto(f"{panel.url}/hosts/{here['uuid']}/")
        page.get_by_role("link", name="Empty").click()
        expect(page.locator("tr", has_text="web1")).to_be_visible(timeout=SOON_MS)

        page.get_by_role("button", name="Empty it").click()

        eventually(lambda: seen(api, running)["host"]["uuid"] != here["uuid"], within_s=LATER_S)
        assert seen(api, running)["state"] == "running"
        assert api.get(f"/api/v1/hosts/{here['uuid']}").json()["maintenance"] is True
        page.goto(f"{panel.url}/hosts/{here['uuid']}/")
        expect(page.get_by_text("In maintenance")).to_be_visible()
