"""New volumes with the content of others: whole copies that the host makes, and layers that are based on a base."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Final
from uuid import UUID

from core.errors import Conflict
from core.units import human_bytes
from hosts.connections import Hypervisor, borrow
from hypervisor.errors import Busy, NotFound
from hypervisor.facts import VolumeFacts
from hypervisor.specs import BackingSpec, ImageFormat, VolumeSpec
from operations.procedures import Step
from operations.run import Later, Run
from storage import inventory
from storage.models import Volume
from storage.procedures.volumes import CreateVolume, find, forget, look_anew, record, refuse_if_plugged_in

_LOOK_EVERY_S: Final = 0.5
# A copy that lost its client goes on in the host; until its end nobody can delete it.
_LOOK_AGAIN_S: Final = 3.0
_STILL_COPYING: Final = "The host can't stop a copy that it has begun: this goes on at its end"


class CloneVolume(Step):
    """A volume that stands alone with all that a guest sees of `source`; ready for use when done.

    `format` is what the source's bytes are known to be. The copy gets the size and the format of its row.
    """

    weight = 20

    def __init__(self, source: UUID, volume: UUID, *, format: str, title: str = "Copy the disk") -> None:  # noqa: A002
        self.source = source
        self.volume = volume
        self.format = format
        self.title = title

    def probe(self, run: Run) -> bool:
        """Whether it was told as whole; half a copy, or one that nobody saw the end of, is taken away."""
        volume = find(self.volume)
        if volume.ready:
            return True
        with borrow(volume.pool.host) as hypervisor:
            _take_away(hypervisor, volume)
        return False

    def do(self, run: Run) -> None:
        """Have the host copy it. Raises Conflict where the source's bytes claim to be something else."""
        source, volume = find(self.source), find(self.volume)
        spec = VolumeSpec(
            name=volume.name, format=ImageFormat(volume.format), capacity_bytes=volume.capacity_bytes
        )
        with borrow(volume.pool.host) as hypervisor:
            whole = checked_source(hypervisor, source, self.format)
            _follow(
                lambda: hypervisor.clone_volume(
                    source.pool.uuid, source.name, to=volume.pool.uuid, spec=spec
                ),
                lambda: _tell(run, hypervisor, volume, whole.allocation_bytes),
            )
            facts = hypervisor.read_volume(volume.pool.uuid, volume.name)
            if facts.capacity_bytes < volume.capacity_bytes:
                facts = hypervisor.grow_volume(volume.pool.uuid, volume.name, volume.capacity_bytes)
            record(hypervisor, volume, facts)
        Volume.objects.filter(pk=volume.pk).update(ready=True)

    def undo(self, run: Run) -> None:
        """Delete it, as far as it is there; the host must have ended the copy before.

        Raises Conflict where a machine has it: what plugged it in was not taken back.
        """
        volume = find(self.volume)
        with borrow(volume.pool.host) as hypervisor:
            refuse_if_plugged_in(hypervisor, volume)
            inventory.disown(volume)
            _take_away(hypervisor, volume)
            forget(hypervisor, volume)


class LayVolume(CreateVolume):
    """A volume of its own with nothing in it but what differs from `base`, which must not change from then on."""

    title = "Lay a disk on the template's"

    def __init__(self, base: UUID, volume: UUID, *, format: str) -> None:  # noqa: A002
        super().__init__(volume)
        self.base = base
        self.format = format

    def spec(self, volume: Volume) -> VolumeSpec:
        """With the base and its format named for ever."""
        backing = BackingSpec(path=find(self.base).path, format=ImageFormat(self.format))
        return VolumeSpec(
            name=volume.name,
            format=ImageFormat.QCOW2,
            capacity_bytes=volume.capacity_bytes,
            backing=backing,
        )

    def do(self, run: Run) -> None:
        """Make it. Raises Conflict where the base's bytes claim to be something else."""
        base = find(self.base)
        with borrow(base.pool.host) as hypervisor:
            checked_source(hypervisor, base, self.format)
        super().do(run)


def checked_source(hypervisor: Hypervisor, source: Volume, format: str) -> VolumeFacts:  # noqa: A002
    """The volume as it is on the host. Raises Conflict where libvirt takes its bytes for another format.

    It would have them converted as that: a guest that writes a header with a backing file at the beginning of its raw
    disk would get any file of the host into its copy (CVE-2015-5163).

    What was filled a moment ago libvirt looks at again by itself, a moment later, or not at all where it is at work on
    another volume of the pool: it is asked to. Raises Later while it can't.
    """
    try:
        facts = hypervisor.read_volume(source.pool.uuid, source.name)
        if facts.format != format:
            look_anew(hypervisor, hypervisor.read_pool(source.pool.uuid))
            facts = hypervisor.read_volume(source.pool.uuid, source.name)
    except NotFound:
        raise Conflict(f"{source} is not on its host any more.") from None
    if facts.format != format:
        raise Conflict(
            f"{source} is {format}, and its bytes begin like {facts.format}: the host would copy it as that.",
            fix="Look at what wrote to it. Copy it by hand, with its format named.",
        )
    return facts


def _take_away(hypervisor: Hypervisor, volume: Volume) -> None:
    try:
        hypervisor.drop_volume(volume.pool.uuid, volume.name)
    except NotFound:
        return
    except Busy:
        raise Later(after_s=_LOOK_AGAIN_S, message=_STILL_COPYING) from None


def _tell(run: Run, hypervisor: Hypervisor, volume: Volume, whole: int) -> None:
    with suppress(NotFound):
        there = hypervisor.read_volume(volume.pool.uuid, volume.name).allocation_bytes
        run.progress(there / max(whole, 1), f"{human_bytes(there)} of {human_bytes(whole)}")
    run.check_cancelled()


def _follow(call: Callable[[], object], tell: Callable[[], None]) -> None:
    """Do `call` beside, and `tell` how far it is until it ends; its exception comes out here.

    Where `tell` raises, the call goes on in the host and whoever comes next finds it there.
    """
    failure: list[Exception] = []

    def carry() -> None:
        try:
            call()
        except Exception as error:  # noqa: BLE001  (raised again in the thread that waits for it)
            failure.append(error)

    thread = threading.Thread(target=carry, name="copy", daemon=True)
    thread.start()
    while thread.is_alive():
        thread.join(_LOOK_EVERY_S)
        if thread.is_alive():
            tell()
    if failure:
        raise failure[0]
