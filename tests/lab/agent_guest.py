"""The tiny guest with a real guest agent: Debian's qemu-ga, with the few things around it that it asks.

Where it has a disk `vda`, it makes a file system on it and mounts it at /data, so that there is something to freeze and
to trim. A password that is set is told on the serial line as `PASSWORD` and the SHA-256 of "user:password".
Started with `mute=yes` it has something at the other end of the channel that listens and never answers.
"""

import gzip
import re
from pathlib import Path
from typing import Any, Final

from lxml.builder import E

from tests.lab import artifacts
from tests.lab.guest import COMMAND_LINE, Archive, Guest, kernel_package, tiny_guest

AGENT_COMMAND_LINE: Final = f"{COMMAND_LINE} rdinit=/etc/begin"

_MODULE: Final = "drivers/char/virtio_console.ko"
_BEGIN: Final = """#!/bin/sh
/bin/busybox mount -t devtmpfs dev /dev
/etc/agent &
exec /init
"""
_AGENT: Final = """#!/bin/sh
until [ -c /dev/ttyS0 ] && [ -d /sys/class/virtio-ports ]; do /bin/busybox sleep 0.1; done
hostname agent-guest
mkdir -p /data /run /var/run
[ -b /dev/vda ] && mke2fs -q /dev/vda >/dev/null 2>&1 && mount -t ext4 /dev/vda /data
until port=$(grep -l org.qemu.guest_agent.0 /sys/class/virtio-ports/*/name 2>/dev/null); do sleep 0.1; done
while [ -n "$mute" ]; do cat "/dev/$(basename "$(dirname "$port")")" >/dev/null; done
while :; do
  qemu-ga -p "/dev/$(basename "$(dirname "$port")")" -f /run/qemu-ga.pid -t /run
  sleep 0.5
done
"""
_CHPASSWD: Final = """#!/bin/sh
read -r line
echo "PASSWORD $(printf %s "$line" | sha256sum | cut -d' ' -f1)" >/dev/console
"""
_OS_RELEASE: Final = 'NAME="Tiny"\nPRETTY_NAME="Tiny 1 <b>(agent)</b>"\nID=tiny\nVERSION_ID=1\n'


def agent_machine(name: str, *, disk: Path, serial: Path, more: str = "") -> Any:
    """The definition of a machine that boots it, with a raw disk and `more` words on its command line."""
    guest = agent_guest()
    boot = [
        E.kernel(str(guest.kernel)),
        E.initrd(str(guest.initrd)),
        E.cmdline(f"{AGENT_COMMAND_LINE} {more}".strip()),
    ]
    source = E.driver(name="qemu", type="raw", discard="unmap"), E.source(file=str(disk))
    devices = [
        E.disk(*source, E.target(dev="vda", bus="virtio"), type="file", device="disk"),
        E.channel(E.target(type="virtio", name="org.qemu.guest_agent.0"), type="unix"),
        E.serial(E.source(path=str(serial)), type="file"),
    ]
    return E.domain(
        E.name(name),
        E.memory("160", unit="MiB"),
        E.vcpu("1"),
        E.os(E.type("hvm", arch="x86_64", machine="q35"), *boot),
        E.features(E.acpi()),
        E.devices(*devices),
        type="qemu",
    )


def agent_guest() -> Guest:
    """The guest, built on first use, then taken from the cache. It has no image to be booted from."""
    tiny = tiny_guest()
    directory = artifacts.cached(f"agent-guest-2-{tiny.initrd.parent.name}", _make)
    return Guest(kernel=tiny.kernel, initrd=directory / "initrd.gz", iso=tiny.iso)


def _make(directory: Path) -> None:
    """A second archive behind the first one: Linux unpacks both, one over the other."""
    package, kernel = directory.parent / "agent", directory.parent / "kernel"
    artifacts.unpack_package("qemu-guest-agent", package)
    artifacts.unpack_package(kernel_package(), kernel)
    program = package / "usr" / "sbin" / "qemu-ga"
    module = next((kernel / "lib" / "modules").iterdir()) / "kernel" / _MODULE
    archive = Archive()
    for folder in ("lib", "lib64", "lib/x86_64-linux-gnu", "usr", "usr/sbin", "tmp"):
        archive.add_directory(folder)
    archive.add_file("usr/sbin/qemu-ga", program.read_bytes())
    archive.add_link("bin/qemu-ga", "/usr/sbin/qemu-ga")
    for library in _libraries(program):
        archive.add_file(str(library).lstrip("/"), library.read_bytes())
    archive.add_file("modules/90-virtio_console.ko", module.read_bytes())
    archive.add_file("etc/begin", _BEGIN.encode())
    archive.add_file("etc/agent", _AGENT.encode())
    archive.add_file("etc/os-release", _OS_RELEASE.encode())
    archive.add_file("bin/chpasswd", _CHPASSWD.encode())
    extra = gzip.compress(archive.finish(), mtime=0)
    (directory / "initrd.gz").write_bytes(tiny_guest().initrd.read_bytes() + extra)


def _libraries(program: Path) -> list[Path]:
    """Those of this machine, which has what Debian's QEMU needs, and so what its agent needs."""
    return [Path(found) for found in re.findall(r"(/lib\S+) \(0x", artifacts.run(["ldd", str(program)]))]
