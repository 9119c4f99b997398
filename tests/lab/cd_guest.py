"""The tiny guest with a driver for SCSI CD drives: where there is a medium it opens `sr0`, and so locks its tray."""

import gzip
from pathlib import Path
from typing import Final

from tests.lab import artifacts
from tests.lab.guest import COMMAND_LINE, Archive, Guest, kernel_package, tiny_guest

CD_COMMAND_LINE: Final = f"{COMMAND_LINE} rdinit=/etc/begin"
HOLDS: Final = "HOLDS THE MEDIUM"

# In the order in which they need each other.
_MODULES: Final = (
    "drivers/scsi/scsi_common.ko",
    "drivers/scsi/scsi_mod.ko",
    "drivers/scsi/virtio_scsi.ko",
    "drivers/cdrom/cdrom.ko",
    "drivers/scsi/sr_mod.ko",
)
_BEGIN: Final = """#!/bin/sh
/bin/busybox mount -t devtmpfs dev /dev
/etc/hold &
exec /init
"""
_HOLD: Final = f"""#!/bin/sh
until [ -b /dev/sr0 ]; do /bin/busybox sleep 0.1; done
until (exec 3</dev/sr0) 2>/dev/null; do sleep 0.2; done
exec 3</dev/sr0
echo "{HOLDS}" >/dev/console
while :; do sleep 1000; done
"""


def cd_guest() -> Guest:
    """The guest, built on first use, then taken from the cache. It has no image to be booted from."""
    tiny = tiny_guest()
    directory = artifacts.cached(f"cd-guest-2-{tiny.initrd.parent.name}", _make)
    return Guest(kernel=tiny.kernel, initrd=directory / "initrd.gz", iso=tiny.iso)


def _make(directory: Path) -> None:
    """A second archive behind the first one: Linux unpacks both, one over the other."""
    kernel = directory.parent / "kernel"
    artifacts.unpack_package(kernel_package(), kernel)
    modules = next((kernel / "lib" / "modules").iterdir()) / "kernel"
    archive = Archive()
    for order, module in enumerate(_MODULES):
        archive.add_file(f"modules/{90 + order}-{Path(module).name}", (modules / module).read_bytes())
    archive.add_file("etc/begin", _BEGIN.encode())
    archive.add_file("etc/hold", _HOLD.encode())
    extra = gzip.compress(archive.finish(), mtime=0)
    (directory / "initrd.gz").write_bytes(tiny_guest().initrd.read_bytes() + extra)
