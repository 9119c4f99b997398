"""The lab keeps its own promises: hosts stand beside each other, end whole, and come back."""

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.eventually import eventually
from tests.lab.host import LabError, LabHost
from tests.lab.machines import machine


@pytest.fixture
def second(tmp_path: Path) -> Iterator[LabHost]:
    with LabHost(tmp_path) as host:
        yield host


def processes_about(path: Path) -> list[str]:
    """The command lines, on the whole machine, that speak of `path`."""
    found = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = file.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except (FileNotFoundError, ProcessLookupError):
            continue
        if str(path) in command:
            found.append(command)
    return found


def interfaces() -> set[int]:
    """The numbers of this machine's network interfaces: unlike names, no two ever have the same one."""
    return {number for number, _ in socket.if_nameindex()}


class TestTwoHosts:
    def test_run_machines_of_the_same_name(self, lab_host: LabHost, second: LabHost) -> None:
        with machine(lab_host, "same") as here, machine(second, "same", uuid=here.uuid) as there:
            here.virsh("start")
            there.virsh("start")

            assert lab_host.bridge != second.bridge
            assert here.virsh("vncdisplay") != there.virsh("vncdisplay")
            second.stop()
            assert here.virsh("domstate").strip() == "running"
            second.start()

    def test_are_the_same_after_a_reboot(self, second: LabHost) -> None:
        with machine(second, "kept") as kept:
            kept.virsh("start")
            uuid = second.exec("grep", "host_uuid", "/etc/libvirt/libvirtd.conf")
            second.stop()
            second.start()

            assert kept.virsh("domstate").strip() == "shut off"
            assert second.exec("grep", "host_uuid", "/etc/libvirt/libvirtd.conf") == uuid


class TestEnd:
    def test_leaves_no_process_and_no_bridge(self, second: LabHost) -> None:
        bridge = socket.if_nametoindex(second.bridge)
        with machine(second, "small") as small:
            small.virsh("start")
            assert bridge in interfaces()
            assert processes_about(second.root)
            second.stop()
            assert bridge not in interfaces()
            eventually(lambda: not processes_about(second.root), within_s=5)

    def test_comes_with_the_end_of_its_owner(self, tmp_path: Path) -> None:
        script = f"""
import time
from pathlib import Path
from tests.lab.host import LabHost
host = LabHost(Path({str(tmp_path)!r}))
host.start()
print(host.bridge, flush=True)
time.sleep(60)
"""
        owner = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
        with owner:
            assert owner.stdout is not None
            bridge = socket.if_nametoindex(owner.stdout.readline().strip())
            owner.send_signal(signal.SIGKILL)
        eventually(lambda: not processes_about(tmp_path), within_s=10)

        with LabHost(tmp_path):  # or any other that comes up meanwhile
            eventually(lambda: bridge not in interfaces(), within_s=5)


class TestProgramsInside:
    def test_that_fail_are_told(self, lab_host: LabHost) -> None:
        with pytest.raises(LabError, match="no-such-domain"):
            lab_host.virsh("domstate", "no-such-domain")

    def test_need_a_host_that_is_up(self, tmp_path: Path) -> None:
        with pytest.raises(LabError):
            LabHost(tmp_path).exec("true")

    def test_have_a_time_limit(self, lab_host: LabHost) -> None:
        started = time.monotonic()
        with pytest.raises(subprocess.TimeoutExpired):
            lab_host.exec("sleep", "30", timeout_s=0.5)
        assert time.monotonic() - started < 10


def test_a_path_that_no_socket_can_have_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LabError):
        LabHost(tmp_path / ("x" * 100))
