"""Several real KVM hosts on one machine, joined by a switch, for everything that has to do with more than one host.

    with Lab(folder) as lab:
        one, two = lab.up(2)
        one.virsh("list")
        two.cut()

Each host has its own address, libvirtd (TCP, TLS, and ssh), storage, network and identity; the machine itself, and so a
panel on it, is plugged into the same switch. Guests migrate between hosts. Labs stand beside each other.

The switch is in a network namespace of its own: no firewall of the machine meddles with it. Needs what `tests.lab.host`
needs, and openssh-server, iptables and the kernel's overlay filesystem and TAP devices, as Debian has them.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import IO, Final, Self

from tests.lab.certificates import Authority
from tests.lab.claims import claim, remove_link
from tests.lab.namespace import LabError, Namespace, run, wait_until
from tests.lab.remote import RemoteHost

_REPOSITORY: Final = Path(__file__).resolve().parents[2]
_SWITCH: Final = """
set -e
mount -t sysfs sysfs /sys
ip link set lo up
ip link add switch type bridge
ip link set switch up
touch "$1/ready"
while :; do sleep 1000 & wait; done
"""


class Lab:
    """A lab under `root`, a directory of its own. A context manager.

    What a host keeps (domains, volumes, its identity) it finds again when the lab is built again on the same directory.
    """

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()
        self.authority = Authority()
        self.switch = Namespace(self.root / "switch", ("-m", "-n"))
        self.hosts: list[RemoteHost] = []
        self._lock: IO[str] | None = None
        self._wires: dict[str, subprocess.Popen[bytes]] = {}

    @property
    def prefix(self) -> str:
        """The first three numbers of every address in this lab; the machine itself has 1, host I has 10 + I."""
        return (self.root / "prefix").read_text()

    @property
    def ssh_key(self) -> Path:
        """The private key with which root comes in everywhere; its public half stands beside it."""
        return self.root / "id"

    @property
    def pki(self) -> Path:
        """A client's certificate and key, as libvirt's `pkipath` wants them."""
        return self.root / "pki"

    @property
    def shared(self) -> Path:
        """A directory that is the same on all hosts, for shared storage."""
        return self.root / "shared"

    def up(self, count: int) -> list[RemoteHost]:
        """Start that many hosts more, and return all. Takes a second or two for three.

        To be called in a thread that stays: the lab ends with it.
        """
        if self._lock is None:
            self._open()
        new = [RemoteHost(self, len(self.hosts) + 1 + number) for number in range(count)]
        self.hosts += new
        for host in new:
            host.begin()
        for host in new:
            host.finish()
        return self.hosts

    def down(self) -> None:
        """End all hosts and the switch. Files stay."""
        for host in self.hosts:
            host.namespace.stop()
        self.hosts = []
        for wire in self._wires.values():
            _end(wire)
        self._wires = {}
        self.switch.stop()
        if self._lock is not None:
            remove_link(_uplink(self._number))
            self._lock.close()
            self._lock = None

    def plug(self, host: RemoteHost) -> None:
        """Give a host its network card and put the other end into the switch."""
        self.unplug(host)
        run(["ip", "link", "add", host.name, "netns", str(self.switch.pid), "type", "veth",
             "peer", "name", "eth0", "address", host.mac, "netns", str(host.namespace.pid)])  # fmt: skip
        self.switch.exec("ip", "link", "set", host.name, "master", "switch", "up")
        host.exec("ip", "address", "add", f"{host.ip}/24", "dev", "eth0")
        host.exec("ip", "link", "set", "eth0", "up")
        host.exec("ip", "route", "add", "default", "via", f"{self.prefix}.1")

    def unplug(self, host: RemoteHost) -> None:
        """Take a host's network card away, if it has one: the kernel may do so itself a moment after the host's end."""
        self.unbend(host)
        self.switch.exec("sh", "-c", f"ip link delete {host.name} 2>/dev/null || true")

    def bend(self, host: RemoteHost, *, delay_ms: float, loss_percent: float) -> None:
        """Put a bad wire between a host and the switch; see `tests.lab.wire`."""
        near, far, joint = f"{host.name}-near", f"{host.name}-far", f"{host.name}-joint"
        program = [sys.executable, "-m", "tests.lab.wire", near, far, str(delay_ms), str(loss_percent)]
        inside = [
            "setpriv",
            "--pdeathsig",
            "KILL",
            "nsenter",
            "-t",
            str(self.switch.pid),
            "-n",
            "--",
            *program,
        ]
        self._wires[host.name] = subprocess.Popen(inside, cwd=_REPOSITORY, stdin=subprocess.DEVNULL)
        wait_until(lambda: far in self.switch.exec("ls", "/sys/class/net").split(), "the wire")
        for command in (
            f"link add {joint} type bridge",
            f"link set {near} master {joint} up",
            f"link set {far} master switch up",
            f"link set {joint} up",
            f"link set {host.name} master {joint}",
        ):
            self.switch.exec("ip", *command.split())

    def unbend(self, host: RemoteHost) -> None:
        """Take the bad wire out, if there is one."""
        if wire := self._wires.pop(host.name, None):
            _end(wire)
            self.switch.exec("ip", "link", "set", host.name, "master", "switch")
            self.switch.exec("ip", "link", "delete", f"{host.name}-joint")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.down()

    def _open(self) -> None:
        if os.geteuid() != 0:
            raise LabError("The lab makes namespaces and network interfaces: run this as root.")
        self._number, self._lock = claim("net", lambda number: remove_link(_uplink(number)))
        for folder in ("switch", "shared"):
            (self.root / folder).mkdir(parents=True, exist_ok=True)
        (self.root / "prefix").write_text(f"10.214.{self._number}")
        if not self.ssh_key.exists():
            run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "lab", "-f", str(self.ssh_key)])
        self.authority.write_client(self.pki)
        self.switch.start(_SWITCH)
        uplink = _uplink(self._number)
        run(["ip", "link", "add", uplink, "type", "veth",
             "peer", "name", "uplink", "netns", str(self.switch.pid)])  # fmt: skip
        self.switch.exec("ip", "link", "set", "uplink", "master", "switch", "up")
        run(["ip", "address", "add", f"{self.prefix}.1/24", "dev", uplink])
        run(["ip", "link", "set", uplink, "up"])


def _uplink(number: int) -> str:
    return f"kvmnet{number}"


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait(timeout=30)
