"""Several real KVM hosts on one machine, joined by a switch, for everything that has to do with more than one host.

    with Lab(folder) as lab:
        one, two = lab.up(2)
        one.virsh("list")
        two.cut()

Each host has its own address, libvirtd (TCP, TLS, and ssh), storage, network and identity; the machine itself, and so a
panel on it, is plugged into the same switch. Guests migrate between hosts. Labs stand beside each other.

Needs what `tests.lab.host` needs, and openssh-server, iptables, and the kernel's overlay filesystem and TAP devices.
"""

from __future__ import annotations

import os
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from tests.lab.certificates import Authority
from tests.lab.claims import claim, remove_link
from tests.lab.namespace import LabError, run
from tests.lab.remote import RemoteHost
from tests.lab.switch import Switch


class Lab:
    """A lab under `root`, a directory of its own. A context manager.

    What a host keeps (domains, volumes, its identity) it finds again when the lab is built again on the same directory.
    `quick` is that of `LabHost`.
    """

    def __init__(self, root: Path, *, quick: bool = False) -> None:
        self.root = root.resolve()
        self.quick = quick
        self.switch = Switch(self.root / "switch")
        self.authority = Authority()
        self.hosts: list[RemoteHost] = []
        self._number = 0
        self._lock: IO[str] | None = None

    @classmethod
    def standing(cls, root: Path) -> Self:
        """The lab that another process built there: to look at and to break, not to end."""
        lab = cls(root)
        numbers = sorted(int(pid.parent.name.removeprefix("kvm")) for pid in lab.root.glob("kvm*/pid"))
        lab.hosts = [RemoteHost(lab, number) for number in numbers]
        return lab

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
        try:
            if self._lock is None:
                self._open()
            new = [RemoteHost(self, len(self.hosts) + 1 + number) for number in range(count)]
            self.hosts += new
            for host in new:
                host.begin()
            for host in new:
                host.finish()
        except BaseException:
            self.down()
            raise
        return self.hosts

    def down(self) -> None:
        """End all hosts and the switch. Files stay."""
        for host in self.hosts:
            host.namespace.stop()
        self.hosts = []
        self.switch.stop(uplink=_uplink(self._number))
        if self._lock is not None:
            self._lock.close()
            self._lock = None

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
        self.shared.mkdir(parents=True, exist_ok=True)
        (self.root / "prefix").write_text(f"10.214.{self._number}")
        if not self.ssh_key.exists():
            run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "lab", "-f", str(self.ssh_key)])
        self.authority.write_client(self.pki)
        self.switch.start(uplink=_uplink(self._number), address=f"{self.prefix}.1/24")


def _uplink(number: int) -> str:
    return f"kvmnet{number}"
