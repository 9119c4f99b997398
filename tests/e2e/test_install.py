"""From an ISO file on a person's disk to Debian's graphical installer answering in the browser."""

from __future__ import annotations

import base64
import io
import time
from collections.abc import Iterator
from uuid import UUID

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from playwright.sync_api import Page, expect

from hypervisor.driver import Hypervisor
from hypervisor.uri import Address
from tests.lab.host import LabHost
from tests.lab.installer import MEMORY_MIB, installer_iso
from tests.lab.panel import Panel

# Emulated, the installer takes 40 s to its first question; many times that where other tests run beside it.
BOOT_S = 600
INSTALLER_SCREEN = (1280, 800)
INSTALLER_BANNER_PX = 130
Pixels = NDArray[np.int16]

CANVAS = """() => {
  const canvas = document.querySelector("#console-screen canvas");
  const copy = document.createElement("canvas");
  copy.width = canvas.width; copy.height = canvas.height;
  copy.getContext("2d").drawImage(canvas, 0, 0);
  return copy.toDataURL("image/png").split(",")[1];
}"""


@pytest.fixture
def lab(stage: tuple[Panel, LabHost]) -> Iterator[LabHost]:
    """The panel's host. Nothing runs on it afterwards: the installer would take a core from all tests that follow."""
    _, lab = stage
    yield lab
    for uuid in lab.virsh("list", "--uuid").split():
        lab.virsh("destroy", uuid)


@pytest.mark.timeout(1200)
def test_install_debian_in_the_browser(page: Page, stage: tuple[Panel, LabHost], lab: LabHost) -> None:
    panel, _ = stage

    upload_the_image(page)
    domain = create_the_machine(page)
    with Hypervisor.open(Address(socket=str(lab.socket))) as hypervisor:
        expect(page.locator(".machine-screen img")).to_be_visible(timeout=20_000)
        page.goto(f"{panel.url}/console/{domain}/")
        wait_until_open(page)

        languages = wait_for_languages(hypervisor, domain)
        wait_until_alike(page, hypervisor, domain)

        page.keyboard.press("ArrowDown")
        moved = wait_for_change(hypervisor, domain, languages)
        wait_until_alike(page, hypervisor, domain)
        page.keyboard.press("Enter")
        wait_for_change(hypervisor, domain, moved)
        wait_until_alike(page, hypervisor, domain)

        page.get_by_role("button", name="Power").click()
        page.get_by_role("button", name="Reset").click()
        page.locator("#confirm-yes").click()
        wait_for_the_loader(hypervisor, domain)
        wait_until_open(page)
        wait_until_alike(page, hypervisor, domain)

        page.get_by_role("button", name="Power").click()
        page.get_by_role("button", name="Force off").click()
        page.locator("#confirm-yes").click()
        expect(page.locator("#console-words")).to_contain_text("off", timeout=20_000)
        page.locator("#console-veil").get_by_role("button", name="Start").click()
        wait_until_open(page)


def upload_the_image(page: Page) -> None:
    """Give the file to the storage page, and wait until it stands in the pool."""
    page.get_by_role("link", name="Storage", exact=True).first.click()
    page.get_by_role("link", name="default", exact=True).first.click()
    page.locator("[data-drop-file]").set_input_files(installer_iso())
    expect(page.locator("tr", has_text="debian-installer.iso").first).to_be_visible(timeout=120_000)


def create_the_machine(page: Page) -> UUID:
    """Fill in the form; ends on the machine's page, when it runs."""
    page.get_by_role("link", name="Virtual machines", exact=True).first.click()
    page.get_by_role("link", name="New virtual machine").first.click()
    page.get_by_label("Name").fill("debian12")
    page.get_by_label("Install from").select_option(label="debian-installer.iso")
    page.get_by_label("Memory").fill(str(MEMORY_MIB))
    expect(page.locator("#new-summary")).to_contain_text("debian-installer.iso")
    page.get_by_role("button", name="Create virtual machine").click()
    page.get_by_role("heading", name="debian12").wait_for()
    expect(page.locator(".machine-state")).to_contain_text("Running", timeout=60_000)
    return UUID(page.url.rstrip("/").split("/")[-1])


def wait_until_open(page: Page) -> None:
    expect(page.locator("#console")).to_have_attribute("data-phase", "open", timeout=30_000)


def screen(hypervisor: Hypervisor, domain: UUID) -> Pixels:
    """What libvirt says is on the screen."""
    return pixels(hypervisor.screenshot(domain).png)


def pixels(png: bytes) -> Pixels:
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB"), dtype=np.int16)


def alike(one: Pixels, other: Pixels) -> float:
    """The share of pixels that agree within what a lossy encoding may change, 0 to 1."""
    if one.shape != other.shape:
        return 0.0
    return float((np.abs(one - other).max(axis=2) <= 24).mean())


def wait_for_languages(hypervisor: Hypervisor, domain: UUID) -> Pixels:
    """The list of languages: the installer's resolution, its white and its colours, and nothing moves any more."""
    deadline = time.monotonic() + BOOT_S
    before = screen(hypervisor, domain)
    while time.monotonic() < deadline:
        time.sleep(2)
        now = screen(hypervisor, domain)
        if now.shape[1::-1] == INSTALLER_SCREEN and looks_like_a_list(now) and alike(before, now) > 0.999:
            return now
        before = now
    raise AssertionError("the installer never asked for a language")


def looks_like_a_list(now: Pixels) -> bool:
    """White paper with dark words on it; before it come text on black, and a banner over an empty grey page."""
    body = now[INSTALLER_BANNER_PX:]
    return float((body.min(axis=2) > 250).mean()) > 0.4 and float((body.max(axis=2) < 110).mean()) > 0.005


def wait_for_the_loader(hypervisor: Hypervisor, domain: UUID) -> None:
    """It begins anew: no longer the installer's resolution. Its kernel's time is QEMU's matter (docs/facts.md)."""
    deadline = time.monotonic() + 60
    while screen(hypervisor, domain).shape[1::-1] == INSTALLER_SCREEN:
        assert time.monotonic() < deadline, "it was not reset"
        time.sleep(0.5)


def wait_for_change(hypervisor: Hypervisor, domain: UUID, before: Pixels) -> Pixels:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        now = screen(hypervisor, domain)
        if alike(before, now) < 0.9995:
            time.sleep(1)
            return screen(hypervisor, domain)
        time.sleep(0.5)
    raise AssertionError("the screen did not follow the key")


def wait_until_alike(page: Page, hypervisor: Hypervisor, domain: UUID) -> None:
    """Until the canvas in the browser shows what libvirt says is there."""
    deadline = time.monotonic() + 30
    share = 0.0
    while time.monotonic() < deadline:
        shown = pixels(base64.b64decode(page.evaluate(CANVAS)))
        share = alike(shown, screen(hypervisor, domain))
        if share > 0.99:
            return
        time.sleep(0.5)
    raise AssertionError(f"only {share:.1%} of the pixels agree")
