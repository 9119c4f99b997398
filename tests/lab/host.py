"""A private libvirt host on this machine, for tests.

One `LabHost` is one libvirtd with its own configuration, state, storage pool, network and guests, in namespaces of its
own (mount, UTS, PID). It shares the network with the machine it runs on, so its guests' screens are reachable on
127.0.0.1 and its socket from everywhere. Any number of them can run beside each other and beside the system's own.

Needs root, Linux namespaces, util-linux, iproute2 and Debian's libvirt and QEMU packages.
"""

import contextlib
import fcntl
import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import IO, Final, Self
from uuid import NAMESPACE_URL, uuid4, uuid5

_LOCK_DIRECTORY: Final = Path("/run/lock")
_HOSTS_AT_ONCE: Final = 60
_START_TIMEOUT_S: Final = 60.0
_SOCKET_PATH_LIMIT: Final = 107

# PID 1 of the namespace. It must reap what the daemon leaves behind: where nobody does, ending a guest takes 30 s.
# An empty /run hides the machine's own sockets (systemd-machined, polkit). Without control groups guests of the same
# name on two hosts cannot meet in one group.
_INIT: Final = """
set -e
hostname "$2"
mount -t proc proc /proc
umount -R -l /sys/fs/cgroup || true
for pair in etc:/etc/libvirt lib:/var/lib/libvirt cache:/var/cache/libvirt log:/var/log/libvirt; do
  mount --bind "$1/${pair%%:*}" "${pair#*:}"
done
mkdir "$1/new-run"
mount -t tmpfs tmpfs "$1/new-run"
mkdir "$1/new-run/libvirt" "$1/new-run/lock"
mount --bind "$1/run" "$1/new-run/libvirt"
mount --rbind "$1/new-run" /run
touch "$1/ready"
while :; do sleep 1000 & wait; done
"""

_LIBVIRTD_CONF: Final = """
listen_tls = 0
auth_unix_rw = "none"
unix_sock_rw_perms = "0700"
host_uuid = "{uuid}"
"""

# Root runs the guests because /dev/kvm may belong to root alone; libvirt would then throw its cache of what QEMU can
# do away at each start, which costs a minute. No guest of another host takes a port of this range.
_QEMU_CONF: Final = """
user = "root"
group = "root"
security_driver = "none"
stdio_handler = "file"
remote_display_port_min = {port_min}
remote_display_port_max = {port_max}
"""

_POOL_XML: Final = """
<pool type='dir'><name>default</name><uuid>{uuid}</uuid><target><path>{path}</path></target></pool>
"""
_NETWORK_XML: Final = """
<network><name>default</name><uuid>{uuid}</uuid><forward mode='nat'/><bridge name='{bridge}'/>
<ip address='{prefix}.1' netmask='255.255.255.0'><dhcp><range start='{prefix}.2' end='{prefix}.254'/></dhcp></ip>
</network>
"""


class LabError(Exception):
    """The lab itself failed; the message holds what the failing program said."""


class LabHost:
    """One libvirt host under `root`, a directory of its own. A context manager.

    Started again on the same directory it is the same host after a reboot, with the domains and volumes it had.
    """

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()
        self._init: subprocess.Popen[bytes] | None = None
        self._lock: IO[str] | None = None
        self._index = 0
        if len(str(self.socket)) > _SOCKET_PATH_LIMIT:
            raise LabError(f"The path of a socket has at most {_SOCKET_PATH_LIMIT} characters: {self.socket}")

    @property
    def socket(self) -> Path:
        """The daemon's socket, valid inside and outside."""
        return self.root / "run" / "libvirt-sock"

    @property
    def uri(self) -> str:
        """What to give to virsh or `libvirt.open` outside."""
        return f"qemu+unix:///system?socket={self.socket}"

    @property
    def pool_path(self) -> Path:
        """The directory of pool `default`; the same path inside and outside."""
        return self.root / "pool"

    @property
    def bridge(self) -> str:
        """The bridge of network `default`."""
        return f"kvmlab{self._index}"

    def start(self) -> None:
        """Bring the host up with pool `default` and network `default` active; takes about a second."""
        if os.geteuid() != 0:
            raise LabError("The lab makes namespaces and bridges: run the tests as root.")
        self._index, self._lock = _claim_index()
        try:
            self._write_configuration()
            self._start_namespace()
            self.revive()
            self._define_defaults()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End every guest and daemon of this host, and only them, and take its bridge away. Files stay."""
        if self._init is not None:
            with contextlib.suppress(LabError, subprocess.TimeoutExpired):
                self.thaw()
                self.virsh("net-destroy", "default")
            self._init.kill()
            self._init.wait(timeout=30)
            self._init = None
        if self._lock is not None:
            _remove_bridge(self.bridge)
            self._lock.close()
            self._lock = None

    def kill(self) -> None:
        """`kill -9` libvirtd; guests live on."""
        self._signal_daemon("KILL")
        _wait(lambda: not self._daemon_runs(), "libvirtd to die")

    def revive(self) -> None:
        """Start libvirtd again after `kill`, and wait until it answers."""
        self.exec("libvirtd", "-d", "-p", "/run/libvirtd.pid", "-f", "/etc/libvirt/libvirtd.conf")
        _wait(self._daemon_answers, "libvirtd to answer")

    def freeze(self) -> None:
        """SIGSTOP libvirtd: its socket accepts, nobody answers."""
        self._signal_daemon("STOP")

    def thaw(self) -> None:
        """SIGCONT libvirtd."""
        self._signal_daemon("CONT")

    def daemon_pid(self) -> int:
        """libvirtd's process, as this machine numbers it."""
        inside = self.exec("cat", "/run/libvirtd.pid").strip()
        init = self._init_pid()
        for pid in Path(f"/proc/{init}/task/{init}/children").read_text().split():
            numbers = re.search(r"^NSpid:.*\s(\d+)$", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
            if numbers is not None and numbers[1] == inside:
                return int(pid)
        raise LabError("libvirtd does not run.")

    def exec(self, *command: str, timeout_s: float = 60.0) -> str:
        """Run a program inside the host and return what it printed; raises `LabError` if it fails."""
        if self._init is None:
            raise LabError("This host is not up.")
        inside = ["nsenter", "-t", str(self._init_pid()), "-m", "-u", "-p", "-w/", "--", *command]
        done = subprocess.run(
            inside, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout_s, check=False
        )
        if done.returncode:
            raise LabError(f"{' '.join(command)}: exit {done.returncode}: {done.stderr or done.stdout}")
        return done.stdout

    def virsh(self, *arguments: str, timeout_s: float = 60.0) -> str:
        """Run virsh inside the host and return what it printed."""
        return self.exec("virsh", "-q", "-c", "qemu:///system", *arguments, timeout_s=timeout_s)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _write_configuration(self) -> None:
        shutil.rmtree(self.root / "run", ignore_errors=True)
        for name in ("etc", "lib", "cache", "log", "run", "pool"):
            (self.root / name).mkdir(parents=True, exist_ok=True)
        port_min = 5900 + 100 * self._index
        conf = self.root / "etc" / "libvirtd.conf"
        if not conf.exists():
            conf.write_text(_LIBVIRTD_CONF.format(uuid=uuid4()))
        (self.root / "etc" / "qemu.conf").write_text(
            _QEMU_CONF.format(port_min=port_min, port_max=port_min + 99)
        )

    def _start_namespace(self) -> None:
        """Start PID 1; it dies with this process, and everything inside dies with it."""
        ready = self.root / "ready"
        ready.unlink(missing_ok=True)
        shutil.rmtree(self.root / "new-run", ignore_errors=True)
        with (self.root / "log" / "init.log").open("wb") as log:
            self._init = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL",
                 "unshare", "-m", "-u", "-p", "-f", "--kill-child", "--propagation", "private",
                 "bash", "-c", _INIT, "lab-init", str(self.root), f"lab{self._index}"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip
        init = self._init
        _wait(lambda: ready.exists() or init.poll() is not None, "the namespace")
        if not ready.exists():
            raise LabError(f"No namespace: {(self.root / 'log' / 'init.log').read_text()}")

    def _init_pid(self) -> int:
        """PID 1 of the namespace, as it is called outside: the only child of `unshare`."""
        assert self._init is not None
        children = Path(f"/proc/{self._init.pid}/task/{self._init.pid}/children").read_text().split()
        if not children:
            raise LabError(f"The namespace ended: {(self.root / 'log' / 'init.log').read_text()}")
        return int(children[0])

    def _define_defaults(self) -> None:
        """The same UUIDs at each start of the same host: so they are defined anew, with the bridge of this time."""
        pool, network = uuid5(NAMESPACE_URL, f"{self.root}/pool"), uuid5(NAMESPACE_URL, f"{self.root}/net")
        prefix = f"10.213.{self._index}"
        documents = {
            "pool": _POOL_XML.format(uuid=pool, path=self.pool_path),
            "net": _NETWORK_XML.format(uuid=network, bridge=self.bridge, prefix=prefix),
        }
        for kind, document in documents.items():
            file = self.root / f"{kind}.xml"
            file.write_text(document)
            self.virsh(f"{kind}-define", str(file))
            if "default" not in self.virsh(f"{kind}-list", "--name").split():
                self.virsh(f"{kind}-start", "default")

    def _signal_daemon(self, signal: str) -> None:
        self.exec("sh", "-c", f"kill -{signal} $(cat /run/libvirtd.pid)")

    def _daemon_runs(self) -> bool:
        state = self.exec("sh", "-c", "cat /proc/$(cat /run/libvirtd.pid)/stat 2>/dev/null || true")
        return bool(state) and ") Z " not in state

    def _daemon_answers(self) -> bool:
        try:
            self.virsh("version", timeout_s=30)
        except LabError:
            return False
        return True


def _wait(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + _START_TIMEOUT_S
    while not condition():
        if time.monotonic() > deadline:
            raise LabError(f"Waited {_START_TIMEOUT_S:.0f} s in vain for {what}.")
        time.sleep(0.02)


def _claim_index() -> tuple[int, IO[str]]:
    """A number that no other lab host on this machine has, and the lock that keeps it so.

    On the way the bridges go whose hosts were killed before they could clean up: nobody holds their locks.
    """
    _LOCK_DIRECTORY.mkdir(exist_ok=True)
    claimed: tuple[int, IO[str]] | None = None
    for index in range(1, _HOSTS_AT_ONCE + 1):
        lock = (_LOCK_DIRECTORY / f"kvm-panel-lab-{index}.lock").open("w")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            continue
        _remove_bridge(f"kvmlab{index}")
        if claimed is None:
            claimed = index, lock
        else:
            lock.close()
    if claimed is None:
        raise LabError(f"{_HOSTS_AT_ONCE} lab hosts are up already.")
    return claimed


def _remove_bridge(name: str) -> None:
    if Path("/sys/class/net", name).exists():
        subprocess.run(["ip", "link", "delete", name], check=False, capture_output=True)
