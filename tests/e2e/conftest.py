"""A whole panel on a libvirt host of its own, and a real browser in front of it."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import suppress
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, StorageState
from playwright.sync_api import Error as PlaywrightError

from tests.lab.browser import chromium
from tests.lab.host import LabHost
from tests.lab.panel import Panel, PanelError

OPERATIONS = """
from operations.models import Operation
for one in Operation.objects.order_by("created_at"):
    print(one.created_at, one.finished_at, one.kind, one.state, one.error, one.message)
"""
LOG_TAIL = 6000  # characters of each part


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """With what failed comes what the panel's parts said, what it was at, and what the page looked like."""
    report = yield
    given: dict[str, Any] = getattr(item, "funcargs", {})
    if report.failed and "stage" in given:
        panel, _ = given["stage"]
        for log in sorted((panel.state / "log").glob("*.log")):
            report.sections.append((f"Log: {log.stem}", log.read_text(errors="replace")[-LOG_TAIL:]))
        with suppress(PanelError):
            report.sections.append(("Operations", panel.manage("shell", "-c", OPERATIONS)))
    if report.failed and isinstance(given.get("page"), Page):
        with suppress(PlaywrightError):
            report.sections.append(("Page", given["page"].locator("body").inner_text(timeout=2000)))
    return report


@pytest.fixture(scope="session")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Panel, LabHost]]:
    root = tmp_path_factory.mktemp("e2e")
    with LabHost(root / "lab") as lab, Panel(root / "state", libvirt_socket=lab.socket) as panel:
        yield panel, lab


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """Ends with the file: while Playwright's event loop is there, Django refuses the database in this thread."""
    with chromium(tmp_path_factory.mktemp("browser")) as browser:
        yield browser


@pytest.fixture(scope="session")
def kept() -> dict[str, StorageState]:
    """What a browser keeps of its last sign-in, for the next one."""
    return {}


def sign_in(page: Page, panel: Panel) -> None:
    """As the first admin, by the form."""
    page.locator("[name=username]").fill(panel.username)
    page.locator("[name=password]").fill(panel.password)
    page.keyboard.press("Enter")


@pytest.fixture
def page(stage: tuple[Panel, LabHost], browser: Browser, kept: dict[str, StorageState]) -> Iterator[Page]:
    """A tab in which the first admin is signed in. Errors of the page's own scripts fail the test."""
    panel, _ = stage
    context = browser.new_context(
        ignore_https_errors=True, viewport={"width": 1400, "height": 900}, storage_state=kept.get(panel.url)
    )
    page = context.new_page()
    broken: list[str] = []
    page.on("pageerror", lambda error: broken.append(str(error)))
    page.on(
        "console", lambda said: broken.append(said.text) if "Content Security Policy" in said.text else None
    )
    page.goto(panel.url)
    if "/account/sign-in" in page.url:
        sign_in(page, panel)
    page.get_by_role("heading", name="Overview").wait_for()
    kept[panel.url] = context.storage_state()
    yield page
    context.close()
    assert not broken
