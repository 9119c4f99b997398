"""What the panel costs while nobody uses it: memory and processor time of all its processes, with one host.

The panel has been used before: pages were looked at, a machine runs, a picture of its screen was taken. Beside it
stands the least that can watch a host: `virsh event --loop`. libvirtd itself belongs to neither, but what it has to
do for either is shown.
"""

from __future__ import annotations

import subprocess
import tempfile
import time
from pathlib import Path
from typing import Final

from benchmarks.report import Table, cpu_s, finish, pss_kb, say
from tests.lab.host import LabHost
from tests.lab.machines import machine
from tests.lab.panel import Panel

SETTLE_S: Final = 45
IDLE_S: Final = 60
PAGES: Final = (
    "/",
    "/machines/",
    "/hosts/",
    "/storage/",
    "/networks/",
    "/operations/",
    "/audit/",
    "/api/v1/openapi.json",
)
Use = dict[str, tuple[float, float]]


def use(panel: Panel, uuid: object) -> None:
    """What a person does in the first minutes."""
    with panel.browse() as browser:
        for page in (*PAGES, f"/machines/{uuid}/", f"/console/{uuid}/"):
            browser.get(page).raise_for_status()
        for _ in range(20):
            if browser.get(f"/machines/{uuid}/screen/").status_code == 200:
                return
            time.sleep(0.5)
    raise RuntimeError("no picture of the screen was taken")


def rest(processes: dict[str, int]) -> Use:
    """Let `processes` (with all their children) be for a minute; their MB and percent of one processor."""
    before = {name: cpu_s(pid) for name, pid in processes.items()}
    began = time.monotonic()
    time.sleep(IDLE_S)
    seconds = time.monotonic() - began
    return {
        name: (pss_kb(pid) / 1024, 100 * (cpu_s(pid) - before[name]) / seconds)
        for name, pid in processes.items()
    }


def panel_at_rest(folder: Path, host: LabHost) -> tuple[Use, Use]:
    """The panel's parts, and libvirtd beside them."""
    with machine(host, "idle") as running, Panel(folder, libvirt_socket=host.socket) as panel:
        running.virsh("start")
        use(panel, running.uuid)
        say(f"Letting it settle for {SETTLE_S} s …")
        time.sleep(SETTLE_S)
        parts = panel.pids()
        supervisor = parts.pop("supervisor")
        use_of = rest({**parts, "all": supervisor, "libvirtd": host.daemon_pid()})
        libvirtd = use_of.pop("libvirtd")
        return use_of, {"libvirtd beside the panel": libvirtd}


def virsh_at_rest(host: LabHost) -> Use:
    """The bare tool on the same host, and libvirtd beside it."""
    command = ["virsh", "-c", host.uri, "event", "--loop", "--all"]
    with machine(host, "idle") as running, subprocess.Popen(command, stdout=subprocess.DEVNULL) as virsh:
        running.virsh("start")
        try:
            time.sleep(5)
            use_of = rest({"virsh event --loop": virsh.pid, "libvirtd beside virsh": host.daemon_pid()})
        finally:
            virsh.kill()
    return use_of


def main() -> None:
    """Measure one after the other on the same private host."""
    with tempfile.TemporaryDirectory(prefix="idle-") as folder, LabHost(Path(folder, "host")) as host:
        say("Starting a panel …")
        parts, beside = panel_at_rest(Path(folder, "panel"), host)
        bare = virsh_at_rest(host)
    everything = parts.pop("all")
    own = [everything[column] - sum(part[column] for part in parts.values()) for column in (0, 1)]
    table = Table(f"One host, one running machine, {IDLE_S} s of rest", "part", "PSS MB", "CPU %")
    for name, (memory, cpu) in sorted(parts.items()):
        table.row(name, memory, cpu)
    table.row("supervisor", *own)
    table.row("the panel, all together", *everything)
    for name, (memory, cpu) in {**bare, **beside}.items():
        table.row(name, memory, cpu)
    table.print()
    finish("idle", {"pss_mb": everything[0], "cpu_percent": everything[1]})


if __name__ == "__main__":
    main()
