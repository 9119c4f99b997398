"""Files that people bring: good ones, and bad ones of each kind."""

from __future__ import annotations

import random
import struct
import subprocess
from pathlib import Path

SECTOR = 2048


def iso(size_bytes: int = 4 * 1024 * 1024, *, seed: int = 1, promises: int | None = None) -> bytes:
    """An ISO 9660 image as far as its descriptor tells, with random bytes behind; `promises` is the size it tells."""
    blocks = (size_bytes if promises is None else promises) // SECTOR
    descriptor = bytearray(SECTOR)
    descriptor[0:7] = b"\x01CD001\x01"
    struct.pack_into("<I", descriptor, 80, blocks)
    struct.pack_into("<H", descriptor, 128, SECTOR)
    rest = random.Random(seed).randbytes(size_bytes - 17 * SECTOR)
    return bytes(16 * SECTOR) + bytes(descriptor) + rest


def image(folder: Path, kind: str, *options: str, size: str = "1G") -> bytes:
    """A disk image as qemu-img makes it."""
    path = folder / f"made.{kind}"
    subprocess.run(["qemu-img", "create", "-q", "-f", kind, *options, str(path), size], check=True)
    return path.read_bytes()
