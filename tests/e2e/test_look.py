"""Every page in a real browser: whole at each width, readable on both themes, usable by keyboard, and live."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.lab.host import LabHost
from tests.lab.panel import Panel

Stage = tuple[Panel, LabHost]

CONTRAST = Path(__file__).with_name("contrast.js").read_text()
# Controls that a screen reader would call nothing.
NAMELESS = """() => [...document.querySelectorAll('a[href], button, input:not([type=hidden]), select, textarea')]
    .filter((control) => control.checkVisibility())
    .filter((control) => !(control.textContent.trim() || control.ariaLabel || control.labels?.length))
    .map((control) => control.outerHTML.slice(0, 120))"""
PAGES = [
    "/",
    "/machines/",
    "/machines/new/",
    "/hosts/",
    "/hosts/new/",
    "/storage/",
    "/networks/",
    "/operations/",
    "/account/",
    "/account/password",
    "/account/people/",
    "/account/people/new",
    "/account/teams/new",
    "/audit/",
    "/search/?q=nothing",
    "/nowhere",
]
HOST = "from hosts.models import Host; from hosts import inventory; import time; host = Host.objects.get(); "
LOST = HOST + "inventory.record_lost(host, 'seen by a test'); time.sleep(1)"


@pytest.fixture
def live(page: Page) -> Page:
    expect(page.locator("#live-mark")).to_have_text("Live", timeout=30_000)
    return page


class TestPages:
    @pytest.mark.parametrize("width", [1400, 390])
    def test_are_whole_readable_and_named(self, stage: Stage, page: Page, width: int) -> None:
        page.set_viewport_size({"width": width, "height": 900})
        problems = {}
        for path in PAGES:
            page.goto(stage[0].url + path)
            expect(page.locator("h1")).to_have_count(1)
            found = page.evaluate(NAMELESS)
            for theme in ("light", "dark"):
                # Where nothing moves, no colour is on its way to another one.
                page.emulate_media(color_scheme=theme, reduced_motion="reduce")
                expect(page.locator("html")).to_have_attribute("data-bs-theme", theme)
                found += [f"{theme}: {text}" for text in page.evaluate(CONTRAST)]
            if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
                found.append("wider than the window")
            if found:
                problems[path] = found

        assert problems == {}

    def test_follow_the_system_from_dark_to_light(self, stage: Stage, page: Page) -> None:
        page.emulate_media(color_scheme="dark")
        page.goto(stage[0].url + "/hosts/")

        expect(page.locator("html")).to_have_attribute("data-bs-theme", "dark")
        page.emulate_media(color_scheme="light")
        expect(page.locator("html")).to_have_attribute("data-bs-theme", "light")


class TestKeyboard:
    def test_a_slash_goes_to_the_search(self, live: Page) -> None:
        live.keyboard.press("/")
        live.keyboard.type("nothing of that name")
        live.keyboard.press("Enter")

        expect(live.get_by_text("Nothing has such a name")).to_be_visible()

    def test_the_palette_leads_to_a_host(self, stage: Stage, live: Page) -> None:
        live.keyboard.press("Control+k")
        live.keyboard.type("audit")
        live.keyboard.press("Enter")

        expect(live.get_by_role("heading", name="Audit log")).to_be_visible()

    def test_the_first_tab_skips_to_the_content(self, live: Page) -> None:
        live.keyboard.press("Tab")
        expect(live.get_by_text("Skip to content")).to_be_focused()
        live.keyboard.press("Enter")

        assert live.evaluate("document.activeElement.id") == "content"

    def test_the_menu_of_a_small_screen_opens_and_closes(self, page: Page) -> None:
        page.set_viewport_size({"width": 390, "height": 800})
        menu, first = page.get_by_role("button", name="Menu"), page.locator("#sidebar nav a").first
        expect(first).not_to_be_visible()

        menu.press("Enter")
        expect(first).to_be_focused()
        page.keyboard.press("Escape")

        expect(first).not_to_be_visible()
        expect(menu).to_be_focused()


class TestLive:
    def test_comes_back_by_itself_and_shows_what_was_missed(self, stage: Stage, live: Page) -> None:
        panel, _ = stage
        live.goto(panel.url + "/hosts/")
        expect(live.locator("#live-mark")).to_have_text("Live")
        pids = panel.pids()
        os.kill(pids["watcher"], signal.SIGSTOP)  # or it would say at once that the host is up
        try:
            os.kill(pids["web"], signal.SIGKILL)
            expect(live.locator("#live-mark")).to_have_text("Reconnecting")
            panel.manage("shell", "-v0", "-c", LOST)

            expect(live.locator("tbody")).to_contain_text("Unreachable", timeout=60_000)
            expect(live.locator("#live-mark")).to_have_text("Live")
        finally:
            os.kill(pids["watcher"], signal.SIGCONT)
        expect(live.locator("tbody")).to_contain_text("Up", timeout=60_000)

    def test_a_sign_out_in_another_tab_is_said(self, stage: Stage, live: Page) -> None:
        other = live.context.new_page()
        other.goto(stage[0].url)
        other.get_by_role("button", name="Account").click()
        other.get_by_role("button", name="Sign out").click()

        expect(live.locator("#live-mark")).to_have_text("Signed out")
        expect(live.get_by_text("You were signed out")).to_be_visible()
