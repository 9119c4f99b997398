"""The console page in a real browser, over what happens to machines and people while it is open."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.eventually import eventually
from tests.lab.host import LabHost
from tests.lab.machines import Machine, machine
from tests.lab.panel import Panel

SOON_MS = 30_000


@pytest.fixture
def running(stage: tuple[Panel, LabHost]) -> Iterator[Machine]:
    """A machine made beside the panel, running, and already in its inventory."""
    panel, lab = stage
    with machine(lab, "web1") as made, panel.api() as api:
        made.virsh("start")
        address = f"/api/v1/domains/{made.uuid}"

        def known() -> bool:
            answer = api.get(address)
            return bool(answer.is_success and answer.json()["state"] == "running")

        eventually(known, within_s=30)
        yield made


@pytest.fixture
def console(page: Page, stage: tuple[Panel, LabHost], running: Machine) -> Page:
    page.goto(f"{stage[0].url}/console/{running.uuid}/")
    expect_phase(page, "open")
    return page


def expect_phase(page: Page, phase: str) -> None:
    expect(page.locator("#console")).to_have_attribute("data-phase", phase, timeout=SOON_MS)


def focused(page: Page) -> str:
    return str(page.evaluate("document.activeElement.id || document.activeElement.tagName"))


@pytest.mark.timeout(300)
class TestConsole:
    def test_says_that_the_machine_is_off_and_comes_back_with_it(
        self, console: Page, running: Machine
    ) -> None:
        running.virsh("destroy")
        expect_phase(console, "off")
        expect(console.locator("#console-words")).to_have_text("web1 is off.")

        console.locator("#console-start").get_by_role("button", name="Start").click()

        expect_phase(console, "open")
        expect(console.locator("#console-screen canvas")).to_be_visible()

    def test_comes_up_although_the_line_broke_while_it_was_loaded(
        self, page: Page, stage: tuple[Panel, LabHost], running: Machine
    ) -> None:
        page.route(re.compile(r"/core/rfb\..*js$"), lambda asked: asked.abort("connectionreset"), times=1)
        page.goto(f"{stage[0].url}/console/{running.uuid}/")

        expect(page.locator("#console-words")).to_contain_text("did not load", timeout=SOON_MS)
        expect_phase(page, "open")

    def test_ends_with_the_sign_out_in_another_tab(self, console: Page, stage: tuple[Panel, LabHost]) -> None:
        other = console.context.new_page()
        other.goto(stage[0].url)
        other.locator(".topbar-account").click()
        other.get_by_role("button", name="Sign out").click()

        expect_phase(console, "ended")
        expect(console.locator("#console-words")).to_have_text("You signed out.")

    def test_takes_keys_at_once_and_can_be_left_without_a_mouse(self, console: Page) -> None:
        assert focused(console) == "CANVAS"

        console.keyboard.press("Control+Alt+Shift")
        assert focused(console) == "console-keys"

        console.locator("[data-dialog=console-type]").click()
        console.locator("#console-type textarea").fill("Hello")
        console.locator("#console-type").get_by_role("button", name="Type").click()
        assert focused(console) == "CANVAS"

    def test_fits_a_phone(self, console: Page) -> None:
        console.set_viewport_size({"width": 390, "height": 780})

        expect(console.get_by_role("button", name="Full screen")).to_be_in_viewport(ratio=1)
        assert console.evaluate("document.documentElement.scrollWidth") == 390
        fits = "document.querySelector('#console-screen canvas').getBoundingClientRect().width <= 390"
        console.wait_for_function(fits)

    def test_tells_who_else_is_there(
        self, console: Page, stage: tuple[Panel, LabHost], running: Machine
    ) -> None:
        second = console.context.new_page()
        second.goto(f"{stage[0].url}/console/{running.uuid}/")
        expect_phase(second, "open")

        expect(second.locator("#console-others")).to_have_text("Also here: admin")
