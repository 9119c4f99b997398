"""Choosing machines in the list with keyboard and mouse, and switching them together."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.lab.host import LabHost
from tests.lab.panel import Panel

NAMES = ("pick1", "pick2", "pick3")


@pytest.fixture
def listed(page: Page, stage: tuple[Panel, LabHost]) -> Iterator[Page]:
    """The list, into which three machines of its own came while it was open, all off."""
    panel, lab = stage
    page.goto(f"{panel.url}/machines/?q=pick")
    for name in NAMES:
        document = lab.root / f"{name}.xml"
        document.write_text(
            f"<domain type='qemu'><name>{name}</name><memory>32768</memory><os><type>hvm</type></os></domain>"
        )
        lab.virsh("define", str(document))
    expect(page.locator("[data-pick]")).to_have_count(len(NAMES), timeout=30_000)
    yield page
    for name in NAMES:
        if name in lab.virsh("list", "--name").split():
            lab.virsh("destroy", name)
        lab.virsh("undefine", name)


def test_by_keyboard_and_together(listed: Page) -> None:
    bar = listed.get_by_role("region", name="What is done with the chosen virtual machines")
    expect(bar).to_be_hidden()

    listed.keyboard.press("j")
    listed.keyboard.press("x")
    expect(bar).to_contain_text("1 virtual machine chosen")
    listed.keyboard.press("j")
    listed.keyboard.press("Shift+X")
    expect(bar).to_contain_text("2 virtual machines chosen")
    bar.get_by_role("button", name="Start", exact=True).click()

    expect(listed.locator("#messages")).to_contain_text("Start 2 virtual machines")
    for name in NAMES[:2]:
        row = listed.locator("#machines tbody tr", has_text=name)
        expect(row).to_contain_text("Running", timeout=30_000)
        expect(row.locator("[data-pick]")).to_be_checked()
    expect(listed.locator("#machines tbody tr", has_text="pick3")).to_contain_text("Off")
    listed.keyboard.press("Escape")
    expect(bar).to_be_hidden()


def test_by_mouse_with_a_question_where_something_is_lost(listed: Page) -> None:
    boxes = listed.locator("[data-pick]")
    boxes.nth(0).click()
    boxes.nth(2).click(modifiers=["Shift"])
    expect(listed.locator("#picked-count")).to_have_text("3 virtual machines chosen")
    listed.get_by_role("button", name="More").click()
    listed.get_by_role("button", name="Force off").click()
    expect(listed.get_by_role("dialog")).to_contain_text("Force off: 3 virtual machines?")
    listed.get_by_role("dialog").get_by_role("button", name="Force off").click()

    expect(listed.locator("#messages")).to_contain_text("3 of 3 not done", timeout=30_000)
    listed.get_by_label("Choose all on this page").click()
    expect(boxes.nth(1)).not_to_be_checked()
