"""Making the files in which machines go on after a snapshot, and those that keep their memory."""

from __future__ import annotations

from uuid import UUID

from hosts.connections import Hypervisor
from hypervisor.facts import VolumeFacts
from hypervisor.specs import BackingSpec, ImageFormat, VolumeSpec
from storage import inventory
from storage.models import Volume
from storage.procedures.volumes import CreateVolume


class CreateLayer(CreateVolume):
    """The file that `storage.actions.reserve_layer` made the row for. `under` is in the format the machine has it in.

    What lies in a raw file decides nothing here: its guest could have written it.
    """

    title = "Make a file for what comes next"

    def __init__(self, volume: UUID, *, under: str, format: ImageFormat) -> None:  # noqa: A002
        super().__init__(volume)
        self.backing = BackingSpec(path=under, format=format)

    def spec(self, volume: Volume) -> VolumeSpec:
        """An empty file over the other one."""
        return VolumeSpec(
            name=volume.name,
            format=ImageFormat.QCOW2,
            capacity_bytes=volume.capacity_bytes,
            backing=self.backing,
        )

    def made(self, hypervisor: Hypervisor, volume: Volume, facts: VolumeFacts) -> None:
        """It is there: say so."""
        inventory.record_volume(volume.pool, facts)
        Volume.objects.filter(pk=volume.pk).update(ready=True)


class CreateMemoryFile(CreateVolume):
    """The file that `storage.actions.reserve_memory` made the row for; the space stays promised until it is filled."""

    title = "Make a file for its memory"

    def spec(self, volume: Volume) -> VolumeSpec:
        """An empty file, which grows."""
        return VolumeSpec(name=volume.name, format=ImageFormat.RAW, capacity_bytes=0)

    def made(self, hypervisor: Hypervisor, volume: Volume, facts: VolumeFacts) -> None:
        """Where it is; it is ready once the memory is in it."""
        Volume.objects.filter(pk=volume.pk).update(path=facts.path[:1024])


def filled(hypervisor: Hypervisor, volume: Volume) -> None:
    """Write down what the memory took of its pool."""
    inventory.record_volume(volume.pool, hypervisor.read_volume(volume.pool.uuid, volume.name))
    Volume.objects.filter(pk=volume.pk).update(ready=True)
    inventory.record_pool(volume.pool.host, hypervisor.read_pool(volume.pool.uuid))
