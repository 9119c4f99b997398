"""Debian's graphical installer as a bootable ISO image (about 100 MB).

With 1024 MiB of memory it shows its list of languages, 1280×800, after about 40 s of emulation; 512 MiB is too little.
"""

from pathlib import Path
from typing import Final

from tests.lab import artifacts

MEMORY_MIB: Final = 1024

_PACKAGE: Final = "debian-installer-12-netboot-amd64"
_IMAGES: Final = "usr/lib/debian-installer/images/12/amd64/gtk/debian-installer/amd64"
_COMMAND_LINE: Final = "vga=788 --- quiet"


def installer_iso() -> Path:
    """The image, built on first use (a 133 MB download), then taken from the cache."""
    return artifacts.cached("installer-12-1", _make) / "debian-installer.iso"


def _make(directory: Path) -> None:
    unpacked = directory.parent / "package"
    artifacts.unpack_package(_PACKAGE, unpacked)
    artifacts.make_bootable_iso(
        directory / "debian-installer.iso",
        kernel=unpacked / _IMAGES / "linux",
        initrd=unpacked / _IMAGES / "initrd.gz",
        command_line=_COMMAND_LINE,
    )
