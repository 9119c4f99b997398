"""Moving a machine to another host: its disks, itself, and what stays behind."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Final
from uuid import UUID

from accounts.permissions import Verb
from core.errors import Conflict
from core.units import MIB
from domains import inventory
from domains.models import Domain
from domains.moving import Move
from domains.preflight import Level
from domains.procedures import asking, crossing
from domains.procedures.steps import host_by
from hosts.connections import Hypervisor, borrow
from hypervisor.errors import NotFound
from hypervisor.facts import DomainFacts
from hypervisor.specs import MigrationSpec
from operations.procedures import Step, procedure, settled
from operations.run import Run
from storage import inventory as storage
from storage.models import Volume
from storage.procedures import CreateVolume, DeleteVolume
from storage.procedures.volumes import find
from storage.usage import kept_because

# Among what an operation keeps: that its source started the machine by itself.
_AUTOSTART: Final = "autostart"


class CheckHosts(Step):
    """What the inventory says may be old; and some things only the hosts know."""

    title = "Ask both hosts"

    def do(self, run: Run) -> None:
        """Raise Conflict with all that is in the way."""
        move = Move.from_params(run.params)
        domain, target = Domain.objects.get(uuid=move.domain), host_by(move.target)
        with crossing.both(move) as (here, there):
            findings = [
                *asking.ask(here, there, domain, target, move),
                *asking.unplanned(here, move),
                *asking.unshared(here, there, move),
            ]
        for finding in findings:
            if finding.level is Level.WARNING:
                run.log(finding.text)
        blockers = [finding for finding in findings if finding.level is Level.BLOCKER]
        if blockers:
            raise Conflict(
                " ".join(finding.text for finding in blockers),
                fix=" ".join(finding.fix for finding in blockers),
            )

    def undo(self, run: Run) -> None:
        """Of a worker that died here, the mark may be left."""
        move = Move.from_params(run.params)
        for _, here, _ in move.shared:
            with borrow(host_by(move.source)) as source:
                asking.wipe(source, here, asking.mark_of(move))


class Eject(Step):
    """Its image is not there on the other host."""

    def __init__(self, drive: str, path: str) -> None:
        self.drive = drive
        self.path = path
        self.title = f"Empty drive {drive}"

    def do(self, run: Run) -> None:
        """Take the image out; of an empty drive that is no change."""
        self._put(run, None)

    def undo(self, run: Run) -> None:
        """Put it in again."""
        self._put(run, self.path)

    def _put(self, run: Run, path: str | None) -> None:
        move = Move.from_params(run.params)
        with borrow(host_by(move.source)) as hypervisor:
            hypervisor.change_media(move.domain, target=self.drive, path=path)


class TargetVolume(CreateVolume):
    """The empty volume that a disk is copied into."""

    title = "Make room for a disk"


class CopyVolume(Step):
    """A disk of a machine that is off: its bytes go through the worker."""

    weight = 20

    def __init__(self, disk: str, here: UUID, there: UUID) -> None:
        self.here = here
        self.there = there
        self.title = f"Copy disk {disk}"

    def do(self, run: Run) -> None:
        """Copy it from the beginning; half a copy is written over."""
        here, there = find(self.here), find(self.there)
        whole = max(here.details.get("physical_bytes", 0), here.allocation_bytes, 1)

        def tell(copied: int) -> None:
            run.progress(copied / whole, f"{copied // MIB:,} of {whole // MIB:,} MiB copied")

        with borrow(here.pool.host) as source, borrow(there.pool.host) as target:
            to = there.pool.uuid, there.name
            source.copy_volume(here.pool.uuid, here.name, target=target, to=to, progress=tell)


class Migrate(Step):
    """The move itself. Cancelled or killed, the machine runs on where it was."""

    title = "Move it"
    weight = 20

    def probe(self, run: Run) -> bool:
        """Whether it is there already, after an end to whatever an earlier attempt left."""
        move = Move.from_params(run.params)
        with crossing.both(move) as (source, target):
            return crossing.settle(source, target, move)

    def do(self, run: Run) -> None:
        """Move it, and let nobody cancel what is done.

        Before, the source stops starting it by itself: its reboot before `Leave` would bring up a second one.
        """
        move = Move.from_params(run.params)
        with crossing.both(move) as (source, target):
            _refuse_if_on(source, move)
            if source.read_domain(move.domain).autostart:
                run.keep(**{_AUTOSTART: True})
                source.set_autostart(move.domain, enabled=False)
            crossing.carry(run, source, target, move, _spec(move))

    def undo(self, run: Run) -> None:
        """End what is under way. Raises Conflict where it is over there: that is another move, back."""
        move = Move.from_params(run.params)
        with crossing.both(move) as (source, target):
            arrived = crossing.settle(source, target, move)
            if not arrived and run.params.get(_AUTOSTART):
                source.set_autostart(move.domain, enabled=True)
        if arrived:
            raise Conflict("It had arrived already, and stays there.")


class Arrive(Step):
    """From here on it belongs to the other host."""

    title = "Verify"
    point_of_no_return = True

    def do(self, run: Run) -> None:
        """Read it there, give it what libvirt left behind, and write down where it is."""
        move = Move.from_params(run.params)
        with crossing.both(move) as (here, there):
            _refuse_if_on(here, move)
            if run.params.get(_AUTOSTART):
                there.set_autostart(move.domain, enabled=True)
            facts = there.read_domain(move.domain)
        if move.live and facts.live_id is None:
            run.log("It arrived, and is off by now.")
        _hand_over(move, facts)
        inventory.record_moved(host_by(move.target), facts)


class Leave(Step):
    """Its definition at the source: nobody shall start it there."""

    title = "Remove its old definition"
    point_of_no_return = True

    def probe(self, run: Run) -> bool:
        """Whether the source has forgotten it."""
        move = Move.from_params(run.params)
        with borrow(host_by(move.source)) as hypervisor:
            return not hypervisor.domain_exists(move.domain)

    def do(self, run: Run) -> None:
        """Undefine it, if it is off there."""
        move = Move.from_params(run.params)
        with borrow(host_by(move.source)) as hypervisor, suppress(NotFound):
            if hypervisor.read_domain(move.domain).live_id is not None:
                raise Conflict(f"{move.name} runs on its old host too.", fix="Force it off there, at once.")
            hypervisor.undefine_domain(move.domain)


class DeleteOldVolume(DeleteVolume):
    """The copy is in use; this one is nobody's, unless other disks need what is in it."""

    title = "Delete the old disk"

    def do(self, run: Run) -> None:
        """Delete it, or say why it stays: the move is well all the same."""
        volume = find(self.volume)
        reason = kept_because(volume)
        if reason:
            run.log(f"{volume} is kept. {reason}")
            return
        super().do(run)


def _hand_over(move: Move, facts: DomainFacts) -> None:
    """What people said of its shared disks holds for the rows of the host where it is now, too."""
    paths = {disk.target: disk.path for disk in facts.disks}
    volumes = Volume.objects.filter(gone_at=None).select_related("pool")
    for disk, here, there in move.shared:
        same = volumes.filter(path=paths.get(disk, ""))
        old = same.filter(pool__host__uuid=move.source, pool__uuid=here).first()
        new = same.filter(pool__host__uuid=move.target, pool__uuid=there).first()
        if old is not None and new is not None:
            storage.record_handed_over(old, new)


def _refuse_if_on(source: Hypervisor, move: Move) -> None:
    """Raise Conflict where a machine that moves while it is off was started at its source: its disks have changed."""
    with suppress(NotFound):
        if not move.live and source.read_domain(move.domain).live_id is not None:
            raise Conflict(
                f"{move.name} was started on its old host meanwhile, so it stays there.",
                fix="Where the new host has a definition of it, undefine that. Then move it again.",
            )


def _spec(move: Move) -> MigrationSpec:
    target = host_by(move.target)
    paths = [(disk, find(there).path) for disk, _, there in move.copies] + list(move.drives)
    options = move.options
    return MigrationSpec(
        live=move.live,
        address=(target.migration_address or target.address or target.hostname) if move.live else "",
        paths=tuple(paths),
        copied=tuple(disk for disk, _, _ in move.copies),
        proved=bool(move.shared),  # CheckHosts has seen it
        bandwidth_mib_s=options.bandwidth_mib_s,
        auto_converge=options.auto_converge,
        post_copy=options.post_copy_after_s > 0,
    )


@procedure("domain.migrate", verb=Verb.DOMAIN_MIGRATE)
def migrate(params: dict[str, Any]) -> Sequence[Step]:
    """The steps for a `Move`."""
    move = Move.from_params(params)
    before: list[Step] = [CheckHosts()]
    before += [Eject(drive, path) for drive, path in move.eject]
    before += [TargetVolume(there) for _, _, there in move.copies]
    if not move.live:
        before += [CopyVolume(disk, here, there) for disk, here, there in move.copies]
    after: list[Step] = [Arrive(), Leave()]
    if move.options.delete_source:
        after += [DeleteOldVolume(here) for _, here, _ in move.copies]
    return [*before, Migrate(), *after]


@settled("domain.migrate")
def forget_if_undone(run: Run, succeeded: bool) -> None:  # noqa: FBT001 (the hook's signature)
    """Volumes that did not come to be leave the list."""
    if succeeded:
        return
    for _, _, there in Move.from_params(run.params).copies:
        if not Volume.objects.filter(uuid=there, ready=True).exists():
            storage.drop_reservation(there)
