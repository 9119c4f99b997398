"""Taking a snapshot."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Final
from uuid import UUID

from core.errors import Conflict
from core.units import MIB
from domains.lifecycle import RULES
from domains.procedures.snapshot_files import look_at, merge_all, move_records, plan_for
from domains.procedures.steps import domain_on_host, host_of
from domains.snapshots import inventory as snapshots
from hosts.connections import Hypervisor
from hypervisor.errors import HypervisorError
from hypervisor.snapshots import Layer, SnapshotSpec
from hypervisor.specs import ImageFormat
from operations.procedures import Step, procedure, settled
from operations.run import Run
from storage import inventory as volumes
from storage.models import Volume
from storage.procedures import CreateLayer, CreateMemoryFile, filled

KIND: Final = "domain.snapshot.create"
_LOOK_EVERY_S: Final = 0.5
# How long libvirt takes to let a machine go on whose snapshot was given up.
_PATIENCE_S: Final = 30.0


class Take(Step):
    """The moment itself. libvirt does all of it or nothing; its name was chosen before."""

    title = "Take the snapshot"
    weight = 5

    def probe(self, run: Run) -> bool:
        """Whether an attempt before took it."""
        with domain_on_host(run.params) as (hypervisor, uuid):
            if not hypervisor.snapshot_exists(uuid, run.params["name"]):
                return False
            _record(run, hypervisor, uuid)
        return True

    def do(self, run: Run) -> None:
        """Take it, where the disks still are those that it was asked for."""
        with domain_on_host(run.params) as (hypervisor, uuid):
            _check(hypervisor, uuid, run.params)
            spec = _spec(run.params)
            if spec.memory_path:
                _carry(run, hypervisor, uuid, spec)
            else:
                hypervisor.take_snapshot(uuid, spec)
            _record(run, hypervisor, uuid)

    def undo(self, run: Run) -> None:
        """Where it was taken after all: let the disks be as if it had not been."""
        name = run.params["name"]
        with domain_on_host(run.params) as (hypervisor, uuid):
            if not hypervisor.snapshot_exists(uuid, name):
                return
            if run.params["layers"]:
                made, formats = plan_for(hypervisor, uuid, {name})
                merge_all(run, hypervisor, uuid, made.merges)
                moved = {old: (new, formats[new]) for old, new in made.moved.items()}
                move_records(hypervisor, uuid, moved, names={name})
                hypervisor.forget_snapshot(uuid, name, children=False)
            else:
                hypervisor.delete_inside(uuid, name, children=False)
            look_at(hypervisor, host_of(run.params), uuid)


def _check(hypervisor: Hypervisor, uuid: UUID, params: dict[str, Any]) -> None:
    """Raise Conflict where the machine is not as it was when this was asked for: nobody chose how to keep that."""
    facts = hypervisor.read_domain(uuid)
    now = {disk.target: disk.path for disk in facts.disks if disk.device == "disk" and not disk.readonly}
    asked = {layer["target"]: layer["under"] for layer in params["layers"]}
    if (asked and asked != now) or (not asked and set(params["inside"]) != now.keys()):
        raise Conflict("Its disks are others than when this was asked for.", fix="Ask again.")
    if (facts.live_id is not None) is not params["on"] or facts.managed_save:
        raise Conflict("It was switched on or off meanwhile.", fix="Ask again.")


def _spec(params: dict[str, Any]) -> SnapshotSpec:
    paths = {
        str(uuid): path
        for uuid, path in Volume.objects.filter(uuid__in=_files(params)).values_list("uuid", "path")
    }
    return SnapshotSpec(
        name=params["name"],
        description="\n".join(filter(None, (params["label"], params["description"]))),
        inside=tuple(params["inside"]),
        layers=tuple(Layer(target=one["target"], path=paths[one["volume"]]) for one in params["layers"]),
        left_out=tuple(params["left_out"]),
        memory_path=paths.get(params["memory"], ""),
        quiesce=params["quiesce"],
    )


def _files(params: dict[str, Any]) -> list[str]:
    return [*(one["volume"] for one in params["layers"]), *filter(None, [params["memory"]])]


def _record(run: Run, hypervisor: Hypervisor, uuid: UUID) -> None:
    params = run.params
    if params["memory"]:
        filled(hypervisor, Volume.objects.select_related("pool__host").get(uuid=params["memory"]))
    look_at(hypervisor, host_of(params), uuid)
    snapshots.name_it(
        uuid,
        params["name"],
        label=params["label"],
        description=params["description"],
        author_id=params["author"],
        scheduled=params["scheduled"],
    )


def _carry(run: Run, hypervisor: Hypervisor, uuid: UUID, spec: SnapshotSpec) -> None:
    """Take it, tell how much of the memory was written, and heed a cancel."""
    failure: list[Exception] = []

    def call() -> None:
        try:
            hypervisor.take_snapshot(uuid, spec)
        except Exception as error:  # noqa: BLE001  (raised again in the thread that waits for it)
            failure.append(error)

    thread = threading.Thread(target=call, name=f"snapshot {uuid}", daemon=True)
    thread.start()
    try:
        _follow(run, hypervisor, uuid, thread)
    except BaseException:
        with suppress(HypervisorError):
            hypervisor.abort_job(uuid)
        thread.join(_PATIENCE_S)
        raise
    if failure:
        raise failure[0]


def _follow(run: Run, hypervisor: Hypervisor, uuid: UUID, thread: threading.Thread) -> None:
    while True:
        thread.join(_LOOK_EVERY_S)
        if not thread.is_alive():
            return
        run.check_cancelled()
        with suppress(HypervisorError):  # what matters is what libvirt itself says in the end
            told = hypervisor.snapshot_progress(uuid)
            if told is not None and told.total_bytes:
                words = f"{told.processed_bytes // MIB:,} MiB of its memory written"
                run.progress(told.processed_bytes / told.total_bytes, words)


@procedure(KIND, verb=RULES[KIND].verb)
def take(params: dict[str, Any]) -> Sequence[Step]:
    """With files to go on in, these are made first: a pool that is full is found out before the machine is touched."""
    layers = [
        CreateLayer(UUID(one["volume"]), under=one["under"], format=ImageFormat(one["format"]))
        for one in params["layers"]
    ]
    memory = [CreateMemoryFile(UUID(params["memory"]))] if params["memory"] else []
    return [*layers, *memory, Take()]


@settled(KIND)
def drop_if_undone(run: Run, succeeded: bool) -> None:  # noqa: FBT001 (the hook's signature)
    """Files that did not come to be leave the list."""
    if not succeeded:
        for volume in _files(run.params):
            volumes.drop_reservation(UUID(volume))
