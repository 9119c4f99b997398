"""Options of a machine in a real browser: by keyboard alone, and beside somebody else who changes the same machine."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import uuid4

import pytest
from playwright.sync_api import Page, expect

from tests.eventually import eventually
from tests.lab.host import LabHost
from tests.lab.panel import Panel

SOON_S = 60
MACHINE = """<domain type='qemu'><name>options</name><uuid>{uuid}</uuid><memory unit='MiB'>64</memory><vcpu>1</vcpu>
<os><type machine='q35'>hvm</type></os><features><acpi/></features><devices>
<disk type='file' device='cdrom'><target dev='sda' bus='sata'/></disk>
<interface type='network'><source network='default'/><mac address='52:54:00:00:00:77'/><boot order='1'/></interface>
</devices></domain>"""


@pytest.fixture
def machine(stage: tuple[Panel, LabHost]) -> Iterator[str]:
    """Its page; it is off, and boots from its network card."""
    panel, lab = stage
    uuid = str(uuid4())
    file = lab.root / "options.xml"
    file.write_text(MACHINE.format(uuid=uuid))
    lab.virsh("define", str(file))
    yield f"{panel.url}/machines/{uuid}/options/"
    lab.virsh("undefine", uuid)


def shown(page: Page, address: str) -> bool:
    """Whether the panel has seen it by now."""
    answer = page.goto(address)
    return answer is not None and answer.ok and page.locator("#option-boot").count() == 1


def test_a_form_half_filled_is_kept_and_never_overwrites(
    page: Page, stage: tuple[Panel, LabHost], machine: str
) -> None:
    _, lab = stage
    eventually(lambda: shown(page, machine), within_s=SOON_S)
    page.locator("#clock-clock").select_option("localtime")

    # The boot order, by keyboard: the drive is chosen, and goes before the card.
    page.locator("#option-boot [value=sda]").press("Space")
    page.get_by_role("button", name="sda earlier").press("Enter")
    names = page.locator("#option-boot [name=devices]")
    expect(names.first).to_have_value("sda")
    expect(page.get_by_role("button", name="sda later")).to_be_focused()

    lab.virsh("desc", "options", "--config", "by", "virsh")
    expect(page.locator("#label-description")).to_have_value("by virsh", timeout=SOON_S * 1000)
    expect(names.first).to_have_value("sda")
    expect(page.locator("#clock-clock")).to_have_value("localtime")

    page.get_by_role("button", name="Change the boot order").press("Enter")
    expect(page.get_by_text("Somebody changed its definition meanwhile")).to_be_visible(timeout=SOON_S * 1000)
    assert lab.virsh("dumpxml", "options").count("<boot order=") == 1

    page.get_by_role("link", name="Show what is there now").press("Enter")
    expect(page.get_by_text("Somebody changed its definition meanwhile")).to_be_hidden(timeout=SOON_S * 1000)
    page.locator("#option-boot [value=sda]").press("Space")
    page.get_by_role("button", name="sda earlier").press("Enter")
    page.locator("#clock-clock").select_option("localtime")
    page.get_by_role("button", name="Change the boot order").press("Enter")
    expect(page.locator(".message-success")).to_be_visible(timeout=SOON_S * 1000)
    assert lab.virsh("dumpxml", "options").count("<boot order=") == 2

    # What they changed themselves is no change by somebody else, also for a form that was half filled by then.
    expect(page.locator("#clock-clock")).to_have_value("localtime")
    page.get_by_role("button", name="Change the clock").press("Enter")
    eventually(lambda: "offset='localtime'" in lab.virsh("dumpxml", "options"), within_s=SOON_S)
