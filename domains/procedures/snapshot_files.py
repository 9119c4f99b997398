"""The files that snapshots are kept in: merged, forgotten, deleted. Shared by all that snapshots go through."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import PurePosixPath
from typing import Any, Final
from uuid import UUID

from django.db.models import F
from django.utils import timezone

from core.errors import Conflict
from core.units import human_bytes
from domains import inventory
from domains.models import SnapshotFile
from domains.procedures.steps import host_of
from domains.snapshots import inventory as snapshots
from domains.snapshots.merging import Kept, Merge, Plan, plan
from hosts.connections import Hypervisor, borrow
from hosts.models import Host
from hypervisor.errors import AlreadyInState, HypervisorError, NotFound, Unreachable
from hypervisor.facts import DomainState, PoolState
from hypervisor.snapshots import SnapshotFacts
from operations.procedures import Step
from operations.run import Later, Run
from storage import inventory as volumes
from storage.models import Volume
from storage.procedures.volumes import active_pool, forget, look_anew, refuse_if_needed

_LOOK_EVERY_S: Final = 0.2
# What is merged within this time keeps its worker; the rest is looked at again later, however long it takes.
_PATIENCE_S: Final = 3.0
_LOOK_AGAIN_S: Final = 3.0
_LOOK_FOR_HOST_S: Final = 30.0
_HOST_AWAITED: Final = timedelta(days=1)


@contextmanager
def host_awaited(run: Run) -> Iterator[None]:
    """Raise Later where the host is lost: what is half merged, and a machine begun for it, must not be left behind.

    For ever would keep a dead host from being removed: a day after it was asked for, the failure stands.
    """
    try:
        yield
    except Unreachable as error:
        if timezone.now() - run.operation.created_at > _HOST_AWAITED:
            if run.params.get("begun_for_merge"):
                run.log(
                    "It was switched on, without its CPUs, for its files to be merged, and may be so still."
                )
            raise
        words = f"{error.message} It goes on when the host is back."
        raise Later(after_s=_LOOK_FOR_HOST_S, message=words) from error


def look_at(hypervisor: Hypervisor, host: Host, uuid: UUID) -> None:
    """Read the machine and its snapshots now, so that the operation's end and the page agree."""
    inventory.record_domain(host, hypervisor.read_domain(uuid))
    snapshots.record(host, uuid, hypervisor.read_snapshots(uuid))


def active_files(hypervisor: Hypervisor, uuid: UUID) -> dict[str, str]:
    """By target, the file that each disk of the machine has now."""
    disks = hypervisor.read_domain(uuid).disks
    return {disk.target: disk.path for disk in disks if disk.device == "disk" and disk.path}


def backing_files(hypervisor: Hypervisor, paths: set[str]) -> dict[str, str]:
    """What each file in the host's pools is based on. Pools that hold one of `paths` are looked at anew first."""
    found = {}
    folders = {str(PurePosixPath(path).parent) for path in paths}
    for pool in hypervisor.list_pools():
        if pool.state is not PoolState.RUNNING:
            continue
        if pool.path.rstrip("/") in folders:
            look_anew(hypervisor, pool)
        for volume in hypervisor.list_volumes(pool.uuid):
            if volume.backing_path:
                found[volume.path] = volume.backing_path
    return found


def plan_for(hypervisor: Hypervisor, uuid: UUID, names: set[str]) -> tuple[Plan, dict[str, str]]:
    """What it takes for the snapshots `names` to go, as the host is now; and the format of each file that keeps one.

    Raises Conflict where something else is based on what would change.
    """
    facts = hypervisor.read_snapshots(uuid)
    kept = [Kept(one.name, {file.target: file.path for file in one.files}, one.memory_path) for one in facts]
    active = active_files(hypervisor, uuid)
    paths = set(active.values()) | {path for one in kept for path in one.files.values()}
    formats = {file.path: file.format for one in facts for file in one.files}
    return plan(names, kept, active, backing_files(hypervisor, paths)), formats


def merge_all(run: Run, hypervisor: Hypervisor, uuid: UUID, merges: list[Merge]) -> None:
    """Bring all of them about; what is merged already is passed over. Raises Later while that takes its time.

    QEMU does it while the machine runs. For one that is off it is started without its CPUs, and switched off after.
    """
    if not merges:
        return
    if hypervisor.read_domain(uuid).live_id is None:
        if hypervisor.read_domain(uuid).managed_save:
            raise Conflict("Its memory was saved meanwhile.", fix="Start it, or throw the saved memory away.")
        run.keep(begun_for_merge=True)
        with suppress(AlreadyInState):
            hypervisor.start_domain(uuid, paused=True)
    try:
        until = time.monotonic() + _PATIENCE_S
        for number, merge in enumerate(merges):
            _merge(
                run, hypervisor, uuid, merge, until=until, start=number / len(merges), share=1 / len(merges)
            )
        hypervisor.forget_chains(uuid, frozenset(merge.target for merge in merges))
    except (HypervisorError, Conflict) as error:
        if not isinstance(error, Unreachable):
            _end_run(run, hypervisor, uuid)
        raise
    _end_run(run, hypervisor, uuid)


def _merge(
    run: Run, hypervisor: Hypervisor, uuid: UUID, merge: Merge, *, until: float, start: float, share: float
) -> None:
    begun = False
    while True:
        told = hypervisor.merge_progress(uuid, merge.target)
        if told is None:
            if merge.top not in hypervisor.disk_chains(uuid).get(merge.target, ()):
                return
            if begun:
                raise Conflict(f"The host gave up merging the files of disk {merge.target}.")
            hypervisor.begin_merge(uuid, merge.target, top=merge.top, base=merge.base)
            begun = True
        elif told.ready:
            hypervisor.finish_merge(uuid, merge.target)
        else:
            begun = True
            words = (
                f"{human_bytes(told.done_bytes)} of {human_bytes(told.total_bytes)} of {merge.target} merged"
            )
            fraction = told.done_bytes / told.total_bytes if told.total_bytes else 0.0
            run.progress(start + share * fraction, words)
            if time.monotonic() > until:
                raise Later(after_s=_LOOK_AGAIN_S, message=words)
            time.sleep(_LOOK_EVERY_S)


def _end_run(run: Run, hypervisor: Hypervisor, uuid: UUID) -> None:
    """Switch off again what was started only for QEMU to merge."""
    if run.params.get("begun_for_merge") and hypervisor.read_domain(uuid).state is DomainState.PAUSED:
        with suppress(AlreadyInState, NotFound):
            hypervisor.destroy_domain(uuid)


def move_records(
    hypervisor: Hypervisor, uuid: UUID, moved: dict[str, tuple[str, str]], *, names: set[str]
) -> None:
    """Let all snapshots but `names` find their disks where these were moved to (old path: new path and format)."""
    for fact in hypervisor.read_snapshots(uuid):
        if fact.name not in names and _concerned(fact, moved):
            hypervisor.replace_snapshot_files(uuid, fact.name, moved)


def _concerned(fact: SnapshotFacts, moved: dict[str, tuple[str, str]]) -> bool:
    return any(file.path in moved for file in fact.files)


class DropFiles(Step):
    """Deletes the files in `params["dropped"]`, unless something needs them by now."""

    title = "Delete the files that nothing needs any more"
    point_of_no_return = True

    def do(self, run: Run) -> None:
        """What is gone already counts as done; files outside of known pools stay, and are told."""
        host, uuid = host_of(run.params), UUID(run.params["domain"])
        with host_awaited(run), borrow(host) as hypervisor:
            for path in run.params["dropped"]:
                _drop(run, hypervisor, host, path)
            look_at(hypervisor, host, uuid)
            _look_at_files(hypervisor, host, uuid)


def _drop(run: Run, hypervisor: Hypervisor, host: Host, path: str) -> None:
    volume = volume_at(host, path)
    if volume is None:
        run.log(f"{path} lies outside of the pools that the panel knows: it was left alone.")
        return
    try:
        hypervisor.read_volume(volume.pool.uuid, volume.name)
    except NotFound:
        _forget_if_gone(run, hypervisor, volume)
        return
    refuse_if_needed(hypervisor, volume)
    hypervisor.delete_volume(volume.pool.uuid, volume.name)
    forget(hypervisor, volume)


def _forget_if_gone(run: Run, hypervisor: Hypervisor, volume: Volume) -> None:
    """It may have been deleted by us, and the host's answer lost; where its pool rests nobody can tell."""
    try:
        active_pool(hypervisor, volume)
    except Conflict as error:
        run.log(f"{volume.path} was left alone. {error.message}")
    else:
        forget(hypervisor, volume)


def volume_at(host: Host, path: str) -> Volume | None:
    """The row of a file, also where the inventory thinks for a moment that it is gone: the host knows better."""
    rows = Volume.objects.filter(pool__host=host, path=path).select_related("pool__host")
    found: Volume | None = rows.order_by(F("gone_at").desc(nulls_first=True)).first()
    return found


def _look_at_files(hypervisor: Hypervisor, host: Host, uuid: UUID) -> None:
    """Storage shows at once what the machine's files are based on now, and how large they are."""
    kept = SnapshotFile.objects.filter(snapshot__domain__uuid=uuid, snapshot__gone_at=None)
    for path in {*kept.values_list("path", flat=True), *active_files(hypervisor, uuid).values()}:
        volume = volume_at(host, path)
        if volume is not None:
            with suppress(NotFound):
                volumes.record_volume(volume.pool, hypervisor.read_volume(volume.pool.uuid, volume.name))


def planned(params: dict[str, Any]) -> list[Merge]:
    """The merges that were kept in an operation's params."""
    return [Merge(*merge) for merge in params["merges"]]
