"""Files that people bring: as they are, and converted."""

from __future__ import annotations

import hashlib
import subprocess
import tempfile
from dataclasses import dataclass
from functools import cache
from itertools import cycle
from pathlib import Path
from uuid import uuid4

from accounts.models import User
from operations.models import Operation
from storage import actions
from storage.models import Upload, UploadState, Volume
from storage.spool import path_of
from tests.faults.cases.base import MIB, Case, Ground
from tests.storage import files
from tests.storage.test_converted import archive, described

WORDS = b"a word of the guest's" * 1000
DISK = WORDS.ljust(2 * MIB, b"\0")


@dataclass(frozen=True)
class Brought:
    """An upload with all its bytes."""

    upload: Upload
    content: bytes


class Import(Case):
    """An ISO image: what came is what is stored."""

    kind = "volume.import"

    def prepare(self, ground: Ground) -> Brought:
        return self.bring(ground, "iso", files.iso(MIB, seed=uuid4().int))

    def bring(self, ground: Ground, suffix: str, content: bytes) -> Brought:
        """Of a person of its own: nobody may have many at once."""
        actor = User.objects.create(username=f"uploader-{uuid4()}", role=ground.actor.role)
        upload = actions.begin_upload(
            pool=ground.pool,
            filename=f"{uuid4()}.{suffix}",
            size_bytes=len(content),
            fingerprint="",
            actor=actor,
        )
        path_of(upload.uuid).write_bytes(content)
        return Brought(upload, content)

    def ask(self, ground: Ground, thing: Brought) -> Operation:
        operation = actions.finish_upload(upload=thing.upload, actor=ground.actor)
        assert operation is not None
        return operation

    def done(self, ground: Ground, thing: Brought) -> None:
        upload = Upload.objects.get(pk=thing.upload.pk)
        assert upload.state == UploadState.STORED
        assert not path_of(upload.uuid).exists()
        volume = Volume.objects.present().get(label=upload.filename, ready=True)
        assert volume == upload.volume
        assert _files(ground, upload) == {volume.name}
        self.check(ground, volume, thing)

    def check(self, ground: Ground, volume: Volume, thing: Brought) -> None:
        """What the host has of it."""
        stored = (ground.lab.pool_path / volume.name).read_bytes()
        assert stored == thing.content
        assert hashlib.sha256(stored).hexdigest() == volume.sha256

    def undone(self, ground: Ground, thing: Brought) -> None:
        upload = Upload.objects.get(pk=thing.upload.pk)
        assert (upload.state, upload.volume) == (UploadState.REFUSED, None)
        assert not path_of(upload.uuid).exists()
        assert not Volume.objects.present().filter(label__startswith=upload.filename).exists()
        assert _files(ground, upload) == set()


class Convert(Import):
    """To qcow2, each time from another format."""

    name = "converted"

    def __init__(self) -> None:
        self._suffixes = cycle(("vmdk", "vdi", "ova"))

    def prepare(self, ground: Ground) -> Brought:
        suffix = next(self._suffixes)
        return self.bring(ground, suffix, _image(suffix))

    def check(self, ground: Ground, volume: Volume, thing: Brought) -> None:
        with tempfile.TemporaryDirectory() as folder:
            raw = Path(folder) / "raw"
            stored = ground.lab.pool_path / volume.name
            subprocess.run(
                ["qemu-img", "convert", "-f", "qcow2", "-O", "raw", str(stored), str(raw)], check=True
            )
            assert raw.read_bytes() == DISK


@cache
def _image(suffix: str) -> bytes:
    """The same disk in another system's format."""
    if suffix == "ova":
        return archive(
            ("vm.ovf", described()), ("disk.vmdk", _made("vmdk", "-o", "subformat=streamOptimized"))
        )
    return _made(suffix)


def _made(kind: str, *options: str) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        raw, image = Path(folder) / "raw", Path(folder) / f"image.{kind}"
        raw.write_bytes(DISK)
        subprocess.run(["qemu-img", "convert", "-O", kind, *options, str(raw), str(image)], check=True)
        return image.read_bytes()


def _files(ground: Ground, upload: Upload) -> set[str]:
    """The files in the pool of what was ever made of it."""
    rows = Volume.objects.filter(label__startswith=upload.filename).values_list("name", flat=True)
    return {row for row in rows if (ground.lab.pool_path / row).exists()}
