"""From the uploads folder into the pool: a volume of the file's size, the bytes, a look whether all arrived."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.db import transaction

from accounts.permissions import Verb
from core.errors import Conflict
from core.events import publish
from core.units import human_bytes
from hosts.connections import Hypervisor, borrow
from hypervisor.facts import VolumeFacts
from hypervisor.specs import ImageFormat, VolumeSpec
from operations.procedures import Step, procedure, settled
from operations.run import Run
from storage import inspection, inventory, spool
from storage.models import Upload, UploadState, Volume, VolumeKind
from storage.procedures.copies import CloneVolume
from storage.procedures.volumes import CreateVolume, DeleteVolume, find, record


class MakeRoom(CreateVolume):
    """An empty volume of exactly the file's size; raw for libvirt, whatever the file's bytes are."""

    title = "Make room in the pool"

    def __init__(self, volume: UUID, size_bytes: int) -> None:
        super().__init__(volume)
        self.size_bytes = size_bytes

    def spec(self, volume: Volume) -> VolumeSpec:
        """The file's size, not that of the disk in it."""
        return VolumeSpec(name=volume.name, format=ImageFormat.RAW, capacity_bytes=self.size_bytes)

    def made(self, hypervisor: Hypervisor, volume: Volume, facts: VolumeFacts) -> None:
        """It is there, and of no use yet."""
        record(hypervisor, volume, facts)


class Fill(Step):
    """Streams the bytes through libvirt, and sums them up on their way."""

    title = "Copy into the pool"

    def __init__(self, volume: UUID, upload: UUID, *, offset: int = 0, size_bytes: int) -> None:
        self.volume = volume
        self.upload = upload
        self.offset = offset
        self.size_bytes = size_bytes

    def do(self, run: Run) -> None:
        """From the first byte, also the second time. Raises Conflict where bytes are missing, before or after."""
        volume, size = find(self.volume), self.size_bytes

        def told(sent: int) -> None:
            run.progress(sent / size, f"{human_bytes(sent)} of {human_bytes(size)}")

        try:
            source = Summed(spool.path_of(self.upload).open("rb", buffering=0))
        except FileNotFoundError:
            raise Conflict("The uploaded file is gone.", fix="Upload it again.") from None
        with source, borrow(volume.pool.host) as hypervisor:
            source.seek(self.offset)
            hypervisor.upload_volume(volume.pool.uuid, volume.name, source, size_bytes=size, progress=told)
            facts = hypervisor.read_volume(volume.pool.uuid, volume.name)
            if facts.physical_bytes != size:
                raise Conflict(f"{human_bytes(size)} were sent, {human_bytes(facts.physical_bytes)} arrived.")
            record(hypervisor, volume, facts)
        Volume.objects.filter(pk=volume.pk).update(sha256=source.sha256)
        run.log(f"SHA-256 {source.sha256}")


class Summed(io.BufferedReader):
    """A file that knows the SHA-256 of what was read from it."""

    def __init__(self, file: io.FileIO) -> None:
        super().__init__(file)
        self._sum = hashlib.sha256()

    def read(self, size: int | None = -1, /) -> bytes:
        """As any file's."""
        block = super().read(size)
        self._sum.update(block)
        return block

    @property
    def sha256(self) -> str:
        """In hexadecimal."""
        return self._sum.hexdigest()


class CheckWhole(Step):
    """The first bytes were looked at when it came; the host will open all of it."""

    title = "Check the file"

    def __init__(self, upload: UUID, content: inspection.Content) -> None:
        self.upload = upload
        self.content = content

    def do(self, run: Run) -> None:
        """Raise InvalidInput where it refers to other files."""
        try:
            with spool.path_of(self.upload).open("rb") as file:
                file.seek(self.content.offset)
                inspection.check_whole(file, self.content)
        except FileNotFoundError:
            raise Conflict("The uploaded file is gone.", fix="Upload it again.") from None


class DropBrought(DeleteVolume):
    """The disk was made of it, and nobody knew of it."""

    title = "Delete the file as it was brought"


@procedure("volume.import", verb=Verb.STORAGE_MANAGE)
def store(params: dict[str, Any]) -> Sequence[Step]:
    """The volume comes to be, then its bytes; one that is `brought_as` another format is converted by the host."""
    volume, upload, size = UUID(params["volume"]), UUID(params["upload"]), params["size_bytes"]
    if "brought" not in params:
        return [MakeRoom(volume, size), Fill(volume, upload, size_bytes=size)]
    brought, offset = UUID(params["brought"]), params["offset"]
    content = inspection.Content(
        kind=VolumeKind.DISK,
        format=ImageFormat.QCOW2,
        capacity_bytes=0,
        brought_as=params["brought_as"],
        offset=offset,
        size_bytes=size,
    )
    return [
        CheckWhole(upload, content),
        MakeRoom(brought, size),
        Fill(brought, upload, offset=offset, size_bytes=size),
        CloneVolume(brought, volume, format=content.brought_as, title="Convert it"),
        DropBrought(brought),
    ]


@settled("volume.import")
def end(run: Run, succeeded: bool) -> None:  # noqa: FBT001 (the hook's signature)
    """Ready for use; or, where the file was not at fault, still here in full, to be tried again."""
    upload = Upload.objects.get(uuid=run.params["upload"])
    if succeeded:
        Volume.objects.filter(uuid=run.params["volume"]).update(ready=True)
        upload.state, upload.error = UploadState.STORED, ""
    else:
        for volume in filter(None, (run.params["volume"], run.params.get("brought"))):
            inventory.drop_reservation(UUID(volume))
        upload.volume = None
        error = run.operation.error
        # What ends without an error and without success was cancelled: nobody wants the file any more.
        upload.state = UploadState.RECEIVING if error else UploadState.REFUSED
        upload.error = error or "Storing it was cancelled."
    upload.save()
    if upload.state != UploadState.RECEIVING:
        transaction.on_commit(lambda: spool.drop(upload.uuid))
    inventory.tell(upload.pool)
    publish("uploads")
