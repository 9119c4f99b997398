"""The bytes of uploads on their way: one file for each, in the uploads folder, readable by the panel alone."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Self
from uuid import UUID

from django.conf import settings

from core.units import MIB

SUFFIX = ".part"
# What uploads leave of their disk: the panel's database, Redis and logs are most often on the same one.
RESERVED_BYTES = 512 * MIB
# So much of a file tells what it is.
HEAD_BYTES = MIB
# For how long an upload that nobody touches is kept.
KEPT = timedelta(hours=24)


class Taken(Exception):
    """Somebody else writes to this upload just now."""


class Missing(Exception):
    """Its bytes are not here (any more)."""


def path_of(upload: UUID) -> Path:
    """Where the bytes lie, or would lie."""
    folder: Path = settings.UPLOADS_DIR
    return folder / f"{upload}{SUFFIX}"


def begin(upload: UUID) -> None:
    """Make its file, empty."""
    settings.UPLOADS_DIR.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.close(os.open(path_of(upload), os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600))


def drop(upload: UUID) -> None:
    """Delete its file, where there is one."""
    path_of(upload).unlink(missing_ok=True)


def free_bytes() -> int:
    """What the disk of the uploads folder can still take."""
    settings.UPLOADS_DIR.mkdir(mode=0o700, parents=True, exist_ok=True)
    return max(0, shutil.disk_usage(settings.UPLOADS_DIR).free - RESERVED_BYTES)


def all_parts() -> Iterator[tuple[Path, UUID | None]]:
    """Every file in the folder, with the upload that its name tells; None where it tells none."""
    for path in sorted(Path(settings.UPLOADS_DIR).glob("*")):
        try:
            yield path, UUID(path.name.removesuffix(SUFFIX))
        except ValueError:
            yield path, None


class Part:
    """One upload's file, open for appending. Hold it through `writing`."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    @property
    def size(self) -> int:
        """How many bytes are in it."""
        return os.fstat(self._descriptor).st_size

    def append(self, block: bytes) -> Self:
        """Write all of `block` at the end. Raises OSError, most likely ENOSPC."""
        view = memoryview(block)
        while view:
            view = view[os.write(self._descriptor, view) :]
        return self

    def cut(self, size: int) -> None:
        """Forget everything from `size` on."""
        os.ftruncate(self._descriptor, size)

    def sync(self) -> None:
        """Return when the disk has it all: what is told as received must survive a power cut."""
        os.fsync(self._descriptor)


@contextmanager
def writing(upload: UUID) -> Iterator[Part]:
    """The file, ours alone while the block runs; the lock dies with the process. Raises Taken, Missing."""
    try:
        descriptor = os.open(path_of(upload), os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
    except FileNotFoundError:
        raise Missing(upload) from None
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Taken(upload) from None
        yield Part(descriptor)
    finally:
        os.close(descriptor)
