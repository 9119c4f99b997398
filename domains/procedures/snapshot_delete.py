"""Deleting snapshots: one, or one with all that came after it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Final

from domains.lifecycle import RULES
from domains.procedures.snapshot_files import (
    DropFiles,
    host_awaited,
    look_at,
    merge_all,
    move_records,
    plan_for,
    planned,
)
from domains.procedures.steps import domain_on_host, host_of
from hypervisor.errors import NotFound
from operations.procedures import Step, procedure
from operations.run import Run

KIND: Final = "domain.snapshot.delete"


class DeleteInside(Step):
    """One that is kept inside the disks is a matter of a moment."""

    title = "Delete the snapshot"
    point_of_no_return = True

    def probe(self, run: Run) -> bool:
        """Whether the host has forgotten it."""
        with domain_on_host(run.params) as (hypervisor, uuid):
            if hypervisor.snapshot_exists(uuid, run.params["name"]):
                return False
            look_at(hypervisor, host_of(run.params), uuid)
        return True

    def do(self, run: Run) -> None:
        """Delete it."""
        with domain_on_host(run.params) as (hypervisor, uuid):
            hypervisor.delete_inside(uuid, run.params["name"], children=run.params["children"])
            look_at(hypervisor, host_of(run.params), uuid)


class PlanMerge(Step):
    """What follows is decided once, by what the host says: half done it could not be found out any more."""

    title = "Look what is based on it"

    def do(self, run: Run) -> None:
        """Raise Conflict where something else goes on from the same moment."""
        with domain_on_host(run.params) as (hypervisor, uuid):
            made, formats = plan_for(hypervisor, uuid, set(run.params["names"]))
        run.keep(
            merges=[[merge.target, merge.top, merge.base] for merge in made.merges],
            moved={old: [new, formats[new]] for old, new in made.moved.items()},
            dropped=made.dropped,
        )


class MergeFiles(Step):
    """Begun, there is no way back: the lower file holds a mixture of two moments until all is in it."""

    title = "Merge what came after into the files below"
    weight = 20
    point_of_no_return = True

    def do(self, run: Run) -> None:
        """Merge; raises Later while it goes on."""
        with host_awaited(run), domain_on_host(run.params) as (hypervisor, uuid):
            merge_all(run, hypervisor, uuid, planned(run.params))


class ForgetRecords(Step):
    """libvirt's record of it, and where other snapshots find their disks now."""

    title = "Forget the snapshot"
    point_of_no_return = True

    def do(self, run: Run) -> None:
        """First the others: without them being told, a crash here would leave them with files that go."""
        params = run.params
        moved = {old: (new, kind) for old, (new, kind) in params["moved"].items()}
        with host_awaited(run), domain_on_host(params) as (hypervisor, uuid):
            move_records(hypervisor, uuid, moved, names=set(params["names"]))
            if hypervisor.snapshot_exists(uuid, params["name"]):
                with suppress(NotFound):
                    hypervisor.forget_snapshot(uuid, params["name"], children=params["children"])
            look_at(hypervisor, host_of(params), uuid)


@procedure(KIND, verb=RULES[KIND].verb)
def delete(params: dict[str, Any]) -> Sequence[Step]:
    """By how it is kept."""
    if params["external"]:
        return [PlanMerge(), MergeFiles(), ForgetRecords(), DropFiles()]
    return [DeleteInside()]
