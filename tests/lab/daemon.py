"""What all hosts of the lab have in common: a libvirtd in namespaces, with files, a pool and a network of its own."""

import contextlib
import re
import shutil
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self
from uuid import NAMESPACE_URL, UUID, uuid4, uuid5

from tests.lab import artifacts
from tests.lab.namespace import LabError, Namespace, wait_until

# For each x86 guest that starts libvirt asks QEMU for each of 400 properties of its CPU, one after the other: 0.3 s of
# a processor of the 0.4 that a start takes. Without this capability it asks once, as it does an older QEMU.
QUICK: Final = 'capability_filters = ["cpu-unavailable-features"]\n'
_CAPABILITIES: Final = Path("cache", "qemu", "capabilities")
_POOL_XML: Final = """
<pool type='dir'><name>default</name><uuid>{uuid}</uuid><target><path>{path}</path></target></pool>
"""
_NETWORK_XML: Final = """
<network><name>default</name><uuid>{uuid}</uuid><forward mode='nat'/><bridge name='{bridge}'/>
<ip address='{prefix}.1' netmask='255.255.255.0'><dhcp><range start='{prefix}.2' end='{prefix}.254'/></dhcp></ip>
</network>
"""
# Where libvirtd died between its note that a domain starts and the pid of its QEMU, it never lets that domain go.
_LET_HALF_STARTED_GO: Final = """
for status in $(grep -l "^<domstatus .* pid='0'>" /run/libvirt/qemu/*.xml 2>/dev/null); do
  kill -9 $(cat "${status%.xml}.pid" 2>/dev/null) 2>/dev/null
  rm -f "$status" "${status%.xml}.pid"
done
"""


class LibvirtHost(ABC):
    """One libvirt host under `root`, a directory of its own. A context manager.

    Started again on the same directory it is the same host after a reboot, with the domains and volumes it had.
    """

    def __init__(self, root: Path, *, namespaces: Sequence[str]) -> None:
        self.root = root.resolve()
        self.namespace = Namespace(self.root, namespaces)

    @abstractmethod
    def start(self) -> None:
        """Bring the host up with pool `default` and network `default` active; takes about a second."""

    @abstractmethod
    def stop(self) -> None:
        """End every guest and daemon of this host, and only them, and take its network away. Files stay."""

    @property
    @abstractmethod
    def pool_path(self) -> Path:
        """The directory of pool `default`, as it is called inside."""

    def kill(self) -> None:
        """`kill -9` libvirtd; guests live on."""
        self._signal_daemon("KILL")
        wait_until(lambda: not self._daemon_runs(), "libvirtd to die")

    def revive(self) -> None:
        """Start libvirtd again after `kill`, and wait until it answers; first do what docs/operations.md says then."""
        self.exec("sh", "-c", _LET_HALF_STARTED_GO)
        self._launch_daemon()
        self._wait_for_daemon()

    def freeze(self) -> None:
        """SIGSTOP libvirtd: its socket accepts, nobody answers."""
        self._signal_daemon("STOP")

    def thaw(self) -> None:
        """SIGCONT libvirtd."""
        self._signal_daemon("CONT")

    def daemon_pid(self) -> int:
        """libvirtd's process, as this machine numbers it."""
        inside = self.exec("cat", "/run/libvirtd.pid").strip()
        init = self.namespace.pid
        for pid in Path(f"/proc/{init}/task/{init}/children").read_text().split():
            numbers = re.search(r"^NSpid:.*\s(\d+)$", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
            if numbers is not None and numbers[1] == inside:
                return int(pid)
        raise LabError("libvirtd does not run.")

    def exec(self, *command: str, timeout_s: float = 60.0) -> str:
        """Run a program inside the host and return what it printed; raises `LabError` if it fails."""
        return self.namespace.exec(*command, timeout_s=timeout_s)

    def virsh(self, *arguments: str, timeout_s: float = 60.0) -> str:
        """Run virsh inside the host and return what it printed."""
        return self.exec("virsh", "-q", "-c", "qemu:///system", *arguments, timeout_s=timeout_s)

    @property
    def host_uuid(self) -> UUID:
        """What libvirt says that this host is."""
        conf = (self.root / "etc" / "libvirtd.conf").read_text()
        found = re.search(r'^host_uuid = "(.+)"$', conf, re.MULTILINE)
        assert found is not None, "no host_uuid"
        return UUID(found[1])

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _write_configuration(self, *, libvirtd: str, qemu: str) -> None:
        """Fresh `run`, and the two files; the host's UUID, once chosen, stays."""
        shutil.rmtree(self.root / "run", ignore_errors=True)
        for name in ("etc", "lib", "cache", "log", "run"):
            (self.root / name).mkdir(parents=True, exist_ok=True)
        conf = self.root / "etc" / "libvirtd.conf"
        uuid = self.host_uuid if conf.exists() else uuid4()
        conf.write_text(f'host_uuid = "{uuid}"\n{libvirtd}')
        (self.root / "etc" / "qemu.conf").write_text(qemu)
        known = artifacts.cache_directory() / _CAPABILITIES.name
        if known.exists():
            shutil.copytree(known, self.root / _CAPABILITIES, dirs_exist_ok=True)

    def _launch_daemon(self) -> None:
        options = (
            "-d",
            "-p",
            "/run/libvirtd.pid",
            "-f",
            "/etc/libvirt/libvirtd.conf",
            *self._daemon_options(),
        )
        wait_until(lambda: self._is_launched(options), "libvirtd to start")

    def _is_launched(self, options: Sequence[str]) -> bool:
        """Not where one that was killed still holds the lock: a thread of it is in a call that can't be broken off."""
        try:
            self.exec("libvirtd", *options)
        except LabError as error:
            if "pidfile" not in str(error):
                raise
            return False
        return True

    def _wait_for_daemon(self) -> None:
        wait_until(self._daemon_answers, "libvirtd to answer")
        self._keep_capabilities()

    def _daemon_options(self) -> Sequence[str]:
        return ()

    def _keep_capabilities(self) -> None:
        """Spare the next host the second that it takes to ask QEMU what it can do; libvirt knows when that is old."""
        kept = artifacts.cache_directory() / _CAPABILITIES.name
        kept.mkdir(exist_ok=True)
        for file in (self.root / _CAPABILITIES).glob("*.xml"):
            if not (kept / file.name).exists():
                unfinished = kept / f"{file.name}.{uuid4()}"
                shutil.copy(file, unfinished)
                unfinished.rename(kept / file.name)

    def _define_defaults(self, *, bridge: str, prefix: str) -> None:
        """The same UUIDs at each start of the same host: so they are defined anew, with the bridge of this time."""
        pool, network = uuid5(NAMESPACE_URL, f"{self.root}/pool"), uuid5(NAMESPACE_URL, f"{self.root}/net")
        documents = {
            "pool": _POOL_XML.format(uuid=pool, path=self.pool_path),
            "net": _NETWORK_XML.format(uuid=network, bridge=bridge, prefix=prefix),
        }
        for kind, document in documents.items():
            file = self.root / f"{kind}.xml"
            file.write_text(document)
            self.virsh(f"{kind}-define", str(file))
            if "default" not in self.virsh(f"{kind}-list", "--name").split():
                self.virsh(f"{kind}-start", "default")

    def _take_down_network(self) -> None:
        """Let libvirt undo what it did to the machine's firewall; a daemon that can't, leaves it."""
        with contextlib.suppress(LabError, subprocess.TimeoutExpired):
            self.thaw()
            self.virsh("net-destroy", "default")

    def _signal_daemon(self, signal: str) -> None:
        self.exec("sh", "-c", f"kill -{signal} $(cat /run/libvirtd.pid)")

    def _daemon_runs(self) -> bool:
        return self._daemon_state() not in ("", "Z")

    def _daemon_frozen(self) -> bool:
        return self._daemon_state() == "T"

    def _daemon_state(self) -> str:
        """The letter of proc(5); blank where there is no such process."""
        stat = self.exec("sh", "-c", "cat /proc/$(cat /run/libvirtd.pid)/stat 2>/dev/null || true")
        return stat.rpartition(")")[2].split()[0] if stat else ""

    def _daemon_answers(self) -> bool:
        try:
            self.virsh("version", timeout_s=30)
        except LabError:
            return False
        return True
