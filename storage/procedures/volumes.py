"""Making and deleting one volume; the steps also serve procedures of other rooms."""

from __future__ import annotations

import io
from collections.abc import Collection, Sequence
from contextlib import suppress
from typing import Any, Final
from uuid import UUID

from accounts.permissions import Verb
from core.errors import Conflict
from hosts.connections import Hypervisor, borrow
from hypervisor.errors import HypervisorError, Invalid, NotFound, Unreachable
from hypervisor.facts import DiskFile, DomainFacts, PoolFacts, PoolState, VolumeFacts
from hypervisor.specs import ImageFormat, VolumeSpec
from operations.procedures import Step, procedure, settled
from operations.run import Later, Run
from storage import inventory, qcow2
from storage.models import Volume
from storage.usage import sharing

# A volume is being filled for minutes, most often.
_LOOK_AGAIN_S: Final = 10.0


def find(volume: UUID) -> Volume:
    """The row with its pool and host. Raises Conflict where the host was removed from the panel."""
    found: Volume | None = (
        Volume.objects.select_related("pool__host").filter(uuid=volume, pool__host__gone_at=None).first()
    )
    if found is None:
        raise Conflict("The host of this volume was removed from the panel.")
    return found


def record(hypervisor: Hypervisor, volume: Volume, facts: VolumeFacts) -> None:
    """Write down what became of the volume, and what it took from its pool."""
    inventory.record_volume(volume.pool, facts)
    if volume.format == ImageFormat.QCOW2:
        header = io.BytesIO()
        hypervisor.download_volume(volume.pool.uuid, volume.name, header, length_bytes=qcow2.HEADER_BYTES)
        inventory.record_header(volume, qcow2.details(header.getvalue()))
    inventory.record_pool(volume.pool.host, hypervisor.read_pool(volume.pool.uuid))


class CreateVolume(Step):
    """The volume that `storage.actions.reserve` made the row for; ready for use when done."""

    title = "Create the disk"

    def __init__(self, volume: UUID) -> None:
        self.volume = volume

    def spec(self, volume: Volume) -> VolumeSpec:
        """What to make."""
        return VolumeSpec(
            name=volume.name, format=ImageFormat(volume.format), capacity_bytes=volume.capacity_bytes
        )

    def made(self, hypervisor: Hypervisor, volume: Volume, facts: VolumeFacts) -> None:
        """It is there: say so."""
        record(hypervisor, volume, facts)
        Volume.objects.filter(pk=volume.pk).update(ready=True)

    def probe(self, run: Run) -> bool:
        """Whether a file of its name is there, in full size; half a file is taken away."""
        volume = find(self.volume)
        with borrow(volume.pool.host) as hypervisor:
            try:
                facts = hypervisor.read_volume(volume.pool.uuid, volume.name)
            except NotFound:
                return False
            if max(facts.capacity_bytes, facts.physical_bytes) < self.spec(volume).capacity_bytes:
                hypervisor.delete_volume(volume.pool.uuid, volume.name)
                return False
            self.made(hypervisor, volume, facts)
        return True

    def do(self, run: Run) -> None:
        """Make it."""
        volume = find(self.volume)
        with borrow(volume.pool.host) as hypervisor:
            self.made(hypervisor, volume, hypervisor.create_volume(volume.pool.uuid, self.spec(volume)))

    def undo(self, run: Run) -> None:
        """Delete the file, as far as it is there; what the host does not let go stays visible, as nobody's.

        Raises Conflict where a machine has it: what plugged it in was not taken back.
        """
        volume = find(self.volume)
        with borrow(volume.pool.host) as hypervisor:
            refuse_if_plugged_in(hypervisor, volume)
            inventory.disown(volume)
            with suppress(NotFound):
                hypervisor.delete_volume(volume.pool.uuid, volume.name)
            forget(hypervisor, volume)


class CheckUnused(Step):
    """The inventory may be a moment behind what virsh did. `besides` is the machine that may have it."""

    title = "Look who uses it"

    def __init__(self, *volumes: UUID, besides: UUID | None = None) -> None:
        self.volumes = volumes
        self.besides = besides

    def do(self, run: Run) -> None:
        """Raise Conflict where another machine on the host has one of them, or a volume that stays is based on it."""
        volumes = [find(volume) for volume in self.volumes]
        going = {volume.path for volume in volumes}
        for volume in volumes:
            with borrow(volume.pool.host) as hypervisor:
                refuse_if_needed(hypervisor, volume, besides=self.besides, going=going)


class DeleteVolume(Step):
    """Deletes it for ever, unless a machine on the host has it by now."""

    title = "Delete the disk"
    point_of_no_return = True

    def __init__(self, volume: UUID) -> None:
        self.volume = volume

    def probe(self, run: Run) -> bool:
        """Whether it is gone already. Raises Conflict where its pool is, and nobody can tell."""
        volume = find(self.volume)
        with borrow(volume.pool.host) as hypervisor:
            try:
                hypervisor.read_volume(volume.pool.uuid, volume.name)
            except NotFound:
                active_pool(hypervisor, volume)
                forget(hypervisor, volume)
                return True
        return False

    def do(self, run: Run) -> None:
        """Look once more, then delete."""
        volume = find(self.volume)
        with borrow(volume.pool.host) as hypervisor:
            refuse_if_needed(hypervisor, volume)
            hypervisor.delete_volume(volume.pool.uuid, volume.name)
            forget(hypervisor, volume)


def refuse_if_needed(
    hypervisor: Hypervisor, volume: Volume, *, besides: UUID | None = None, going: Collection[str] = ()
) -> None:
    """Raise Conflict where a domain on the host but `besides` needs this volume, or another volume is based on it.

    Volumes at the paths `going` may be: they are deleted before it. Raises Later as `look_anew`.
    """
    refuse_if_plugged_in(hypervisor, volume, besides=besides)
    if not volume.path:
        return
    look_anew(hypervisor, active_pool(hypervisor, volume))
    asleep = []
    for pool in hypervisor.list_pools():
        if pool.state is not PoolState.RUNNING:
            asleep.append(pool.uuid)
            continue
        for other in hypervisor.list_volumes(pool.uuid):
            if other.backing_path == volume.path and other.path not in {volume.path, *going}:
                raise Conflict(f"{other.name} is based on {volume}.", fix="Delete that one first.")
    _refuse_if_based_in(asleep, volume, going)


def _refuse_if_based_in(asleep: Collection[UUID], volume: Volume, going: Collection[str]) -> None:
    """Of pools that are not active only the inventory can tell what lies in them."""
    there = Volume.objects.filter(pool__host=volume.pool.host_id, pool__uuid__in=asleep, gone_at=None)
    layer = there.filter(backing_path=volume.path).exclude(path__in=going).first()
    if layer is not None:
        raise Conflict(f"{layer} is based on {volume}.", fix="Delete that one first.")


def active_pool(hypervisor: Hypervisor, volume: Volume) -> PoolFacts:
    """The pool of `volume`. Raises Conflict where its host has no such pool any more, or it is not active."""
    try:
        pool = hypervisor.read_pool(volume.pool.uuid)
    except NotFound:
        raise Conflict(
            f"Its host has no pool {volume.pool.name} any more, so nobody can tell what became of {volume}.",
            fix="Define the pool again on the host, and ask again.",
        ) from None
    if pool.state is not PoolState.RUNNING:
        raise Conflict(f"Pool {pool.name} is not active.", fix="Start it, and ask again.")
    return pool


def look_anew(hypervisor: Hypervisor, pool: PoolFacts) -> None:
    """Let libvirt see what QEMU did in the folder of an active pool.

    Raises Later while a volume is being made or filled there: libvirt can't look then, and what it saw last may be old.
    """
    try:
        hypervisor.refresh_pool(pool.uuid)
    except (Unreachable, NotFound):
        raise
    except HypervisorError as error:
        # A pool that it can't read any more libvirt stops; then this would wait for ever.
        if hypervisor.read_pool(pool.uuid).state is not PoolState.RUNNING:
            raise
        message = f"Waits until pool {pool.name} can be looked at: something is being written into it."
        raise Later(after_s=_LOOK_AGAIN_S, message=message) from error


def refuse_if_plugged_in(hypervisor: Hypervisor, volume: Volume, *, besides: UUID | None = None) -> None:
    """Raise Conflict where a domain but `besides` needs this volume, now or at its next start.

    Hosts that share its pool are asked, too. Also where a domain names it that can't be read: nobody knows what for.
    """
    _refuse_if_needed_on(hypervisor, volume, besides)
    for host in sharing(volume.pool):
        with borrow(host) as other:
            _refuse_if_needed_on(other, volume, besides)


def _refuse_if_needed_on(hypervisor: Hypervisor, volume: Volume, besides: UUID | None) -> None:
    try:
        domains = hypervisor.read_domains_naming(volume.path, volume.name)
    except Invalid as error:
        raise Conflict(f"Nobody can tell who uses {volume}. {error.message}") from error
    for domain in domains:
        if domain.uuid != besides and needs(domain, volume):
            raise Conflict(f"{volume} is in use by {domain.name}.", fix="Take it out of there first.")


def needs(domain: DomainFacts, volume: Volume) -> bool:
    """Whether one of its disks or drives names this volume, or is based on it, by path or by pool and name."""
    return any(_is(file, volume) for disk in domain.disks for file in disk.files)


def writes(domain: DomainFacts, volume: Volume) -> bool:
    """Whether one of its disks is this volume, now or at its next start; not where another file lies above it."""
    return any(not file.base and _is(file, volume) for disk in domain.disks for file in disk.files)


def _is(file: DiskFile, volume: Volume) -> bool:
    by_name = (file.pool, file.volume) == (volume.pool.name, volume.name)
    return by_name or (file.path != "" and file.path == volume.path)


def forget(hypervisor: Hypervisor, volume: Volume) -> None:
    """Write down that it is gone, and what that gave back to its pool."""
    inventory.record_volume_gone(volume.pool, volume.name)
    with suppress(NotFound):
        inventory.record_pool(volume.pool.host, hypervisor.read_pool(volume.pool.uuid))


@procedure("volume.create", verb=Verb.STORAGE_MANAGE)
def create(params: dict[str, Any]) -> Sequence[Step]:
    """One volume."""
    return [CreateVolume(UUID(params["volume"]))]


@procedure("volume.delete", verb=Verb.STORAGE_MANAGE)
def delete(params: dict[str, Any]) -> Sequence[Step]:
    """One volume, for ever."""
    volume = UUID(params["volume"])
    return [CheckUnused(volume), DeleteVolume(volume)]


@settled("volume.create")
def drop_if_undone(run: Run, succeeded: bool) -> None:  # noqa: FBT001 (the hook's signature)
    """A volume that did not come to be leaves the list."""
    if not succeeded:
        inventory.drop_reservation(UUID(run.params["volume"]))


@settled("volume.delete")
def give_back(run: Run, succeeded: bool) -> None:  # noqa: FBT001 (the hook's signature)
    """One that could not be deleted can be used again."""
    if not succeeded:
        volume = Volume.objects.select_related("pool").get(uuid=run.params["volume"])
        Volume.objects.filter(pk=volume.pk, gone_at=None).update(ready=True)
        inventory.tell(volume.pool)
