"""The whole panel is killed in the middle of its work and started again: no guest notices, and all work settles."""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.eventually import eventually
from tests.lab.guest import READY, tiny_guest
from tests.lab.host import LabHost
from tests.lab.machines import Machine, machine
from tests.lab.panel import Panel

GUESTS = 3
# As many as a host with two processors has room for beside the guests.
NEW = 5
LATER_S = 120.0


@pytest.fixture
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Panel, LabHost]]:
    root = tmp_path_factory.mktemp("killed")
    with LabHost(root / "lab", quick=True) as lab, Panel(root / "state", libvirt_socket=lab.socket) as panel:
        yield panel, lab


@pytest.fixture
def guests(stage: tuple[Panel, LabHost]) -> Iterator[list[Machine]]:
    """Machines with a system that has booted, and told its boot id."""
    _, lab = stage
    with ExitStack() as stack:
        made = [
            stack.enter_context(
                machine(lab, f"guest{number}", guest=tiny_guest(), serial=serial_of(lab, number))
            )
            for number in range(GUESTS)
        ]
        for one in made:
            one.virsh("start")
        eventually(lambda: all(boots(lab)), within_s=LATER_S)
        yield made


def serial_of(lab: LabHost, number: int) -> Path:
    return lab.root / f"serial{number}.log"


def boots(lab: LabHost) -> list[list[str]]:
    """The boot ids that each guest has told since it was made: one more for each time that it started."""
    logs = [serial_of(lab, number) for number in range(GUESTS)]
    texts = [log.read_text(errors="replace") if log.exists() else "" for log in logs]
    return [re.findall(rf"{READY} (\S+)", text) for text in texts]


def everything_of(panel: Panel) -> list[int]:
    """The supervisor and all that it started, and what those started; the supervisor first, or it restarts others."""
    pids = panel.pids()
    found = set(pids.values())
    while True:
        children = {
            pid for pid in map(int, filter(str.isdigit, os.listdir("/proc"))) if _parent(pid) in found
        }
        if children <= found:
            return sorted(found, key=lambda pid: pid != pids["supervisor"])
        found |= children


def _parent(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except (OSError, IndexError):
        return 0


def ask(api: httpx.Client, name: str) -> str:
    """A new machine; the operation's id."""
    wish = {"name": name, "vcpus": 1, "memory_mib": 64, "disk_gib": 1}
    answer = api.post("/api/v1/domains", json=wish)
    assert answer.is_success, answer.text
    return str(answer.json()["operation"])


def state_of(api: httpx.Client, operation: str) -> dict[str, Any]:
    found: dict[str, Any] = api.get(f"/api/v1/operations/{operation}").raise_for_status().json()
    return found


@pytest.mark.timeout(600)
def test_no_guest_changes_and_all_operations_settle(
    stage: tuple[Panel, LabHost], guests: list[Machine]
) -> None:
    panel, lab = stage
    before = [(one.virsh("domid"), one.virsh("dumpxml", "--inactive")) for one in guests]
    booted = boots(lab)
    with panel.api() as api:
        eventually(lambda: api.get("/api/v1/hosts").json()["items"][0]["state"] == "up", within_s=LATER_S)
        asked = [ask(api, f"new{number}") for number in range(NEW)]
        eventually(lambda: state_of(api, asked[0])["state"] != "queued", within_s=LATER_S)
        time.sleep(0.3)
        for pid in everything_of(panel):
            with suppress(ProcessLookupError):  # ended with another one
                os.kill(pid, signal.SIGKILL)
    panel.up()

    with panel.api() as api:
        ends = ("succeeded", "failed", "cancelled")
        eventually(lambda: all(state_of(api, one)["state"] in ends for one in asked), within_s=LATER_S)
        assert [(one["state"], one["error"]) for one in (state_of(api, key) for key in asked)] == [
            ("succeeded", "")
        ] * NEW
        names = [one["name"] for one in api.get("/api/v1/domains").json()["items"]]
        assert sorted(names) == sorted(
            [*(f"guest{n}" for n in range(GUESTS)), *(f"new{n}" for n in range(NEW))]
        )
    on_host = lab.virsh("list", "--all", "--name").split()
    assert sorted(on_host) == sorted(names), "no machine twice, none half made"
    assert len(list(lab.pool_path.iterdir())) == NEW

    assert [(one.virsh("domid"), one.virsh("dumpxml", "--inactive")) for one in guests] == before
    assert boots(lab) == booted
