"""The network between the hosts of a lab and the machine: a bridge in a network namespace of its own.

So no firewall of the machine meddles with it, and all of it goes away with one process. What it knows of its cables is
in files and in the kernel: any process may pull them.
"""

from __future__ import annotations

import contextlib
import shlex
import sys
from pathlib import Path
from typing import Final

from tests.lab.claims import remove_link
from tests.lab.namespace import LabError, Namespace, run, wait_until

_REPOSITORY: Final = Path(__file__).resolve().parents[2]
_INIT: Final = """
set -e
mount -t proc proc /proc
mount -t sysfs sysfs /sys
ip link set lo up
ip link add switch type bridge
ip link set switch up
touch "$1/ready"
while :; do sleep 1000 & wait; done
"""


class Switch:
    """A switch with its files under `root`; a cable has the name of the host it leads to."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._namespace = Namespace(root, ("-m", "-p", "-n"))

    def start(self, *, uplink: str, address: str) -> None:
        """Bring it up, and the machine's own end `uplink` of a cable to it with that address (CIDR)."""
        self._root.mkdir(parents=True, exist_ok=True)
        self._namespace.start(_INIT)
        switch = str(self._namespace.pid)
        run(["ip", "link", "add", uplink, "type", "veth", "peer", "name", "uplink", "netns", switch])
        self._ip("link set uplink master switch up")
        run(["ip", "address", "add", address, "dev", uplink])
        run(["ip", "link", "set", uplink, "up"])

    def stop(self, *, uplink: str) -> None:
        """Take it away, with all cables. Only who started it can."""
        self._namespace.stop()
        remove_link(uplink)

    def plug(self, cable: str, *, into: int, mac: str) -> None:
        """Lead a cable into the network namespace of process `into`, where its end is `eth0`."""
        self.unplug(cable)
        run(["ip", "link", "add", cable, "netns", str(self._namespace.pid), "type", "veth",
             "peer", "name", "eth0", "address", mac, "netns", str(into)])  # fmt: skip
        self._ip(f"link set {cable} master switch up")

    def unplug(self, cable: str) -> None:
        """Take a cable away if it is there: a moment after the end of its host the kernel does so itself."""
        self.straighten(cable)
        with contextlib.suppress(LabError):
            self._ip(f"link delete {cable}")

    def pull(self, cable: str) -> None:
        """Nothing comes through any more; both ends see it."""
        self._ip(f"link set {cable} down")

    def push(self, cable: str) -> None:
        """The opposite of `pull`."""
        self._ip(f"link set {cable} up")

    def pulled(self, cable: str) -> bool:
        """Whether it was pulled."""
        return "state DOWN" in self._namespace.exec("ip", "-o", "link", "show", cable)

    def bend(self, cable: str, *, delay_ms: float, loss_percent: float) -> None:
        """Put a bad wire (`tests.lab.wire`) between this cable and the switch, instead of one that is there already."""
        self.straighten(cable)
        near, far, joint = f"{cable}-near", f"{cable}-far", f"{cable}-joint"
        wire = shlex.join(
            [sys.executable, "-m", "tests.lab.wire", near, far, str(delay_ms), str(loss_percent)]
        )
        log, pid = self._root / "log" / f"{cable}.log", self._pid_file(cable)
        self._namespace.exec(
            "sh", "-c", f"cd {_REPOSITORY} && {{ setsid {wire} </dev/null >{log} 2>&1 & echo $! >{pid}; }}"
        )
        wait_until(lambda: far in self._interfaces() or bool(log.read_text()), "the wire")
        if far not in self._interfaces():
            raise LabError(log.read_text())
        for command in (
            f"link add {joint} type bridge",
            f"link set {near} master {joint} up",
            f"link set {far} master switch up",
            f"link set {joint} up",
            f"link set {cable} master {joint}",
        ):
            self._ip(command)

    def bent(self, cable: str) -> bool:
        """Whether there is a bad wire."""
        return self._pid_file(cable).exists()

    def straighten(self, cable: str) -> None:
        """Take the bad wire out again, if there is one."""
        if not self.bent(cable):
            return
        self._namespace.exec("kill", "-9", self._pid_file(cable).read_text().strip())
        self._pid_file(cable).unlink()
        wait_until(lambda: f"{cable}-far" not in self._interfaces(), "the wire to go")
        self._ip(f"link delete {cable}-joint")
        with contextlib.suppress(LabError):  # its host may be off
            self._ip(f"link set {cable} master switch")

    def _ip(self, command: str) -> None:
        self._namespace.exec("ip", *command.split())

    def _interfaces(self) -> list[str]:
        return self._namespace.exec("ls", "/sys/class/net").split()

    def _pid_file(self, cable: str) -> Path:
        return self._root / f"{cable}.wire"
