"""A private libvirt host on this machine, for tests.

One `LabHost` is one libvirtd with its own configuration, state, storage pool, network and guests, in namespaces of its
own (mount, UTS, PID). It shares the network with the machine it runs on, so its guests' screens are reachable on
127.0.0.1 and its socket from everywhere. Any number of them can run beside each other and beside the system's own.
For hosts that are reached over a network see `tests.lab.lab`.

Needs root, Linux namespaces, util-linux, iproute2 and Debian's libvirt and QEMU packages.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final

import libvirt

from tests.lab.claims import claim, remove_link
from tests.lab.daemon import QUICK, LibvirtHost
from tests.lab.namespace import LabError

__all__ = ["LabError", "LabHost"]

_SOCKET_PATH_LIMIT: Final = 107
_WITH_ALL_IT_HAS: Final = (
    libvirt.VIR_DOMAIN_UNDEFINE_NVRAM
    | libvirt.VIR_DOMAIN_UNDEFINE_MANAGED_SAVE
    | libvirt.VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA
)

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


class LabHost(LibvirtHost):
    """One libvirt host that is reached through its socket, and whose screens are this machine's own ports.

    With `quick` its guests start in a quarter of the time, by a setting that no user has: nothing is measured on it.
    """

    def __init__(self, root: Path, *, quick: bool = False) -> None:
        super().__init__(root, namespaces=("-m", "-u", "-p"))
        self._quick = quick
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
        return _bridge(self._index)

    def start(self) -> None:
        """Bring the host up with pool `default` and network `default` active; takes about a second."""
        if os.geteuid() != 0:
            raise LabError("The lab makes namespaces and bridges: run the tests as root.")
        self._index, self._lock = claim("lab", lambda index: remove_link(_bridge(index)))
        try:
            port_min = 5900 + 100 * self._index
            qemu = _QEMU_CONF.format(port_min=port_min, port_max=port_min + 99)
            qemu += QUICK if self._quick else ""
            self._write_configuration(libvirtd=_LIBVIRTD_CONF, qemu=qemu)
            self.pool_path.mkdir(exist_ok=True)
            shutil.rmtree(self.root / "new-run", ignore_errors=True)
            self.namespace.start(_INIT, f"lab{self._index}")
            self.revive()
            self._define_defaults(bridge=self.bridge, prefix=f"10.213.{self._index}")
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End every guest and daemon of this host, and only them, and take its bridge away. Files stay."""
        self._take_down_network()
        self.namespace.stop()
        if self._lock is not None:
            remove_link(self.bridge)
            self._lock.close()
            self._lock = None

    @contextmanager
    def connect(self) -> Iterator[libvirt.virConnect]:
        """A bare connection, for what is asked so often that starting virsh each time would count."""
        connection = libvirt.open(self.uri)
        try:
            yield connection
        finally:
            connection.close()

    def clear(self) -> None:
        """End and forget every machine, and delete all that lies in pool `default`."""
        with self.connect() as connection:
            for domain in connection.listAllDomains():
                if domain.isActive():
                    domain.destroyFlags(0)
                domain.undefineFlags(_WITH_ALL_IT_HAS)
            for path in self.pool_path.iterdir():
                path.unlink()
            connection.storagePoolLookupByName("default").refresh()


def _bridge(index: int) -> str:
    return f"kvmlab{index}"
