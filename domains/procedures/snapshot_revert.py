"""Going back to a snapshot. What libvirt 9.0 can't do for those in files of their own is done here by hand."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Final
from uuid import UUID

from core.errors import Conflict
from domains.lifecycle import RULES
from domains.procedures.delete import PowerOff
from domains.procedures.snapshot_checks import CheckGiven, CheckTaken, snapshot_of
from domains.procedures.snapshot_files import DropFiles, active_files, backing_files, look_at
from domains.procedures.steps import domain_on_host, host_of
from hosts.connections import Hypervisor
from hypervisor.errors import HypervisorError
from hypervisor.facts import DomainState
from hypervisor.snapshots import SnapshotFacts
from hypervisor.specs import ImageFormat
from operations.procedures import Step, procedure, settled
from operations.run import Run
from storage import inventory as volumes
from storage.models import Volume
from storage.procedures import CreateLayer
from storage.procedures.volumes import find

KIND: Final = "domain.snapshot.revert"
_AS_ASKED: Final = ("target", "under", "format")


class RevertInside(Step):
    """libvirt's own way, for those inside the disks. A day later a second time would take away that day."""

    title = "Go back"
    point_of_no_return = True
    at_most_once = True

    def do(self, run: Run) -> None:
        """Go back, and see what came of it."""
        with domain_on_host(run.params) as (hypervisor, uuid):
            hypervisor.revert_inside(uuid, run.params["name"])
            with suppress(HypervisorError):  # it was done; the watcher sees it as well
                look_at(hypervisor, host_of(run.params), uuid)


class CheckKept(Step):
    """The snapshot must be what it was when this was asked for; and what will be of no use is noted now."""

    title = "Look at the snapshot"

    def do(self, run: Run) -> None:
        """Raise Conflict where it is gone, or its files are others."""
        with domain_on_host(run.params) as (hypervisor, uuid):
            facts = hypervisor.read_snapshots(uuid)
            fact = snapshot_of(hypervisor, uuid, run.params["name"])
            asked = {tuple(layer[key] for key in _AS_ASKED) for layer in run.params["layers"]}
            if {(file.target, file.path, file.format) for file in fact.files} != asked:
                raise Conflict("The snapshot is another one than when this was asked for.", fix="Ask again.")
            now = hypervisor.read_domain(uuid).name
            if run.params["memory"] and fact.domain_name != now:
                raise Conflict(
                    f"It was called {fact.domain_name} then, and libvirt ties its memory to that name.",
                    fix="Rename it back first.",
                )
            dropped, paused = _useless(hypervisor, uuid, facts), fact.state is DomainState.PAUSED
            run.keep(dropped=dropped, paused=paused)


def _useless(hypervisor: Hypervisor, uuid: UUID, facts: list[SnapshotFacts]) -> list[str]:
    """The files that hold only what came after the machine's last snapshot: nobody can go back to that."""
    kept = {file.path for one in facts for file in one.files}
    active = set(active_files(hypervisor, uuid).values())
    backing = backing_files(hypervisor, active)
    return sorted(path for path in active - kept if backing.get(path) in kept)


class SwitchOff(PowerOff):
    """The person was told that what it does now is lost."""

    title = "Switch it off"
    point_of_no_return = True


class DefineAsItWas(Step):
    """Its definition of then, on new files over those that keep the moment."""

    title = "Give it the disks and the definition of that moment"
    point_of_no_return = True

    def probe(self, run: Run) -> bool:
        """Whether it has those disks, and what comes next follows this snapshot."""
        with domain_on_host(run.params) as (hypervisor, uuid):
            current = next((one.name for one in hypervisor.read_snapshots(uuid) if one.current), "")
            now, layers = active_files(hypervisor, uuid), _layers(run.params)
            return current == run.params["name"] and layers.items() <= now.items()

    def do(self, run: Run) -> None:
        """Define it."""
        with domain_on_host(run.params) as (hypervisor, uuid):
            run.keep(fresh=_sizes(hypervisor, run.params))
            hypervisor.define_as_at(uuid, run.params["name"], _layers(run.params))
            look_at(hypervisor, host_of(run.params), uuid)


class RestoreMemory(Step):
    """It goes on from the memory of that moment."""

    title = "Let it go on from its memory"
    point_of_no_return = True
    weight = 3

    def probe(self, run: Run) -> bool:
        """Whether it is on."""
        with domain_on_host(run.params) as (hypervisor, uuid):
            return hypervisor.read_domain(uuid).state in (DomainState.RUNNING, DomainState.PAUSED)

    def do(self, run: Run) -> None:
        """Restore it. Raises Conflict where it has run since it went back, by an attempt before or by somebody's doing.

        Memory goes with the disks of its moment: on any others the guest would destroy its file systems.
        """
        with domain_on_host(run.params) as (hypervisor, uuid):
            if _sizes(hypervisor, run.params) != run.params["fresh"]:
                raise Conflict(
                    "It went back and has run since, and is off now.",
                    fix="Start it as it is, or go back again, which loses what it did since.",
                )
            layers, paused = _layers(run.params), run.params["paused"]
            hypervisor.restore_memory(uuid, run.params["name"], layers, paused=paused)


def _sizes(hypervisor: Hypervisor, params: dict[str, Any]) -> list[int]:
    """How large the new files are: with whatever a guest writes first to one, it grows."""
    made = [find(UUID(layer["volume"])) for layer in params["layers"]]
    return [hypervisor.read_volume(one.pool.uuid, one.name).physical_bytes for one in made]


def _create(layer: dict[str, str]) -> CreateLayer:
    return CreateLayer(UUID(layer["volume"]), under=layer["under"], format=ImageFormat(layer["format"]))


def _layers(params: dict[str, Any]) -> dict[str, str]:
    """By target, the path of the new file."""
    rows = Volume.objects.filter(uuid__in=[one["volume"] for one in params["layers"]])
    paths = {str(uuid): path for uuid, path in rows.values_list("uuid", "path")}
    return {one["target"]: paths[one["volume"]] for one in params["layers"]}


@procedure(KIND, verb=RULES[KIND].verb)
def revert(params: dict[str, Any]) -> Sequence[Step]:
    """By how it is kept."""
    if not params["layers"]:
        return [CheckTaken(), CheckGiven(), RevertInside()]
    memory = [RestoreMemory()] if params["memory"] else []
    layers = [_create(layer) for layer in params["layers"]]
    return [
        CheckTaken(),
        CheckGiven(),
        CheckKept(),
        *layers,
        SwitchOff(),
        DefineAsItWas(),
        *memory,
        DropFiles(),
    ]


@settled(KIND)
def drop_if_undone(run: Run, succeeded: bool) -> None:  # noqa: FBT001 (the hook's signature)
    """Files that did not come to be leave the list."""
    if not succeeded:
        for layer in run.params["layers"]:
            volumes.drop_reservation(UUID(layer["volume"]))
