"""A guest that boots in a second or two, also under emulation: Debian's cloud kernel and a busybox.

It prints `GUEST READY` and its boot id on the serial line, gives a shell there, and obeys the power button. It drives
virtio disks and network cards, also those that are plugged in later. With `dhcp=yes` on its command line it asks for an
address whenever its first card gets a link, as systems with a network manager do, and prints `LEASE` and the address.
"""

import gzip
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.lab import artifacts

COMMAND_LINE: Final = "console=tty0 console=ttyS0 quiet panic=1"
READY: Final = "GUEST READY"

_BUSYBOX: Final = Path("/bin/busybox")
# In the order in which they need each other.
_MODULES: Final = (
    "drivers/acpi/button.ko",
    "drivers/input/evdev.ko",
    "drivers/virtio/virtio_ring.ko",
    "drivers/virtio/virtio.ko",
    "drivers/virtio/virtio_pci_modern_dev.ko",
    "drivers/virtio/virtio_pci_legacy_dev.ko",
    "drivers/virtio/virtio_pci.ko",
    "drivers/block/virtio_blk.ko",
    "net/core/failover.ko",
    "drivers/net/net_failover.ko",
    "drivers/net/virtio_net.ko",
)
_INIT: Final = f"""#!/bin/sh
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
for module in /modules/*; do insmod $module; done
acpid -f -l /dev/null -c /etc/acpi &
echo "{READY} $(cat /proc/sys/kernel/random/boot_id)"
[ -n "$dhcp" ] && /etc/dhcp &
while :; do setsid cttyhack sh; done
"""
_DHCP: Final = """#!/bin/sh
link=/sys/class/net/eth0/carrier
while :; do
  until ip link set eth0 up 2>/dev/null && [ "$(cat $link)" = 1 ]; do sleep 0.2; done
  udhcpc -i eth0 -n -q -f -t 5 -T 1 -s /etc/lease >/dev/null 2>&1 || continue
  while [ "$(cat $link 2>/dev/null)" = 1 ]; do sleep 0.2; done
done
"""
_LEASE: Final = """#!/bin/sh
[ "$1" = bound ] && ip address flush dev eth0 && ip address add $ip/$mask dev eth0 && echo "LEASE $ip" >/dev/console
"""
_POWER_BUTTON: Final = "#!/bin/sh\nexec poweroff -f\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Guest:
    """The same guest in two forms: to be started directly, and as a bootable ISO image (BIOS)."""

    kernel: Path
    initrd: Path
    iso: Path


def tiny_guest() -> Guest:
    """The guest, built on first use (a 27 MB download), then taken from the cache."""
    directory = artifacts.cached("tiny-guest-6", _make)
    return Guest(kernel=directory / "linux", initrd=directory / "initrd.gz", iso=directory / "tiny.iso")


def _make(directory: Path) -> None:
    unpacked = directory.parent / "package"
    artifacts.unpack_package(kernel_package(), unpacked)
    compressed, initrd = next((unpacked / "boot").glob("vmlinuz-*")), directory / "initrd.gz"
    (directory / "linux").write_bytes(_unpacked(compressed.read_bytes()))
    modules = next((unpacked / "lib" / "modules").iterdir()) / "kernel"
    archive = Archive()
    for folder in ("bin", "dev", "etc", "etc/acpi", "etc/acpi/PWRF", "modules", "proc", "sys"):
        archive.add_directory(folder)
    archive.add_file("bin/busybox", _BUSYBOX.read_bytes())
    archive.add_link("bin/sh", "busybox")
    archive.add_file("init", _INIT.encode())
    archive.add_file("etc/acpi/PWRF/00000080", _POWER_BUTTON.encode())
    archive.add_file("etc/dhcp", _DHCP.encode())
    archive.add_file("etc/lease", _LEASE.encode())
    for order, module in enumerate(_MODULES):
        archive.add_file(f"modules/{order:02}-{Path(module).name}", (modules / module).read_bytes())
    initrd.write_bytes(gzip.compress(archive.finish(), mtime=0))
    artifacts.make_bootable_iso(
        directory / "tiny.iso", kernel=compressed, initrd=initrd, command_line=COMMAND_LINE
    )


def _unpacked(image: bytes) -> bytes:
    """The kernel inside a bzImage, an ELF file that QEMU starts by its PVH entry (BIOS only).

    Emulated, unpacking it takes a third of the guest's start, and now and then minutes (docs/facts.md). Where it lies:
    setup_sects, payload_offset and payload_length of the x86 boot protocol (kernel.org, x86/boot.rst).
    """
    begin = (image[0x1F1] + 1) * 512 + int.from_bytes(image[0x248:0x24C], "little")
    size = int.from_bytes(image[0x24C:0x250], "little") - 4  # the last four say how much is unpacked
    payload = image[begin : begin + size]
    return subprocess.run(["lz4", "-d"], input=payload, capture_output=True, check=True).stdout


def kernel_package() -> str:
    """The package behind the meta package, whose name holds the kernel's version."""
    depends = artifacts.run(["apt-cache", "depends", "linux-image-cloud-amd64"])
    match = re.search(r"Depends: (linux-image-\S+)", depends)
    if match is None:
        raise RuntimeError(f"No kernel package in: {depends}")
    return match[1]


class Archive:
    """A cpio archive in the "newc" form that Linux takes as an initramfs (see cpio(5))."""

    def __init__(self) -> None:
        self._bytes = bytearray()
        self._entries = 0

    def add_directory(self, name: str) -> None:
        self._add(name, mode=0o040755)

    def add_file(self, name: str, content: bytes) -> None:
        self._add(name, mode=0o100755, content=content)

    def add_link(self, name: str, target: str) -> None:
        self._add(name, mode=0o120777, content=target.encode())

    def finish(self) -> bytes:
        self._add("TRAILER!!!", mode=0)
        return bytes(self._bytes)

    def _add(self, name: str, *, mode: int, content: bytes = b"") -> None:
        self._entries += 1
        path = name.encode() + b"\0"
        fields = (self._entries, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(path), 0)
        self._bytes += b"070701" + b"".join(b"%08x" % field for field in fields) + path
        self._pad()
        self._bytes += content
        self._pad()

    def _pad(self) -> None:
        self._bytes += bytes(-len(self._bytes) % 4)
