"""Files that are made once from Debian's packages and kept: where they are kept, and the tools to make them."""

import fcntl
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

_REPOSITORY = Path(__file__).resolve().parents[2]


def cache_directory() -> Path:
    """Of the checkout, not of the panel that a test runs: that one's state folder goes away with the test."""
    directory = _REPOSITORY / "var" / "cache" / "lab"
    directory.mkdir(parents=True, exist_ok=True)
    return directory


def cached(name: str, make: Callable[[Path], None]) -> Path:
    """The directory `name` of the cache; if it is missing, `make` fills it. Safe in several processes at once.

    Change the name when what `make` does changes.
    """
    cache = cache_directory()
    with (cache / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (cache / name).exists():
            with tempfile.TemporaryDirectory(dir=cache) as scratch:
                unfinished = Path(scratch) / name
                unfinished.mkdir()
                make(unfinished)
                unfinished.rename(cache / name)
    return cache / name


def unpack_package(name: str, into: Path) -> None:
    """Download a Debian package with apt and unpack it, without installing it."""
    with tempfile.TemporaryDirectory(dir=into.parent) as scratch:
        run(["apt-get", "-q", "download", name], cwd=Path(scratch))
        for package in Path(scratch).glob("*.deb"):
            run(["dpkg", "-x", str(package), str(into)])


def make_bootable_iso(iso: Path, *, kernel: Path, initrd: Path, command_line: str) -> None:
    """An ISO image that starts `kernel` at once on a PC with BIOS."""
    with tempfile.TemporaryDirectory(dir=iso.parent) as scratch:
        boot = Path(scratch) / "boot"
        (boot / "grub").mkdir(parents=True)
        shutil.copy(kernel, boot / "linux")
        shutil.copy(initrd, boot / "initrd.gz")
        (boot / "grub" / "grub.cfg").write_text(
            f"set timeout=0\nmenuentry boot {{\nlinux /boot/linux {command_line}\ninitrd /boot/initrd.gz\n}}\n"
        )
        run(["grub-mkrescue", "-d", "/usr/lib/grub/i386-pc", "-o", str(iso), scratch])


def run(command: list[str], *, cwd: Path | None = None) -> str:
    """What `command` printed; if it fails, the error holds all that it said."""
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False, timeout=600)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: exit {done.returncode}: {done.stdout}{done.stderr}")
    return done.stdout
