"""Giving a machine a new disk, or one that is there."""

from __future__ import annotations

import io
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Final
from uuid import UUID

from accounts.permissions import Verb
from core.errors import Conflict
from domains.disk_wishes import DiskPlan
from domains.procedures.disk_parts import disk_at, let_go
from domains.procedures.steps import domain_on_host, refresh, show
from hosts.connections import Hypervisor
from hypervisor.errors import AlreadyExists, HypervisorError, NotFound, Unreachable
from hypervisor.specs import DiskBus, ImageFormat
from hypervisor.xml.slots import DISK
from operations.procedures import Step, procedure, settled
from operations.run import Run
from storage import inventory, qcow2
from storage.models import Volume
from storage.procedures import CreateVolume
from storage.procedures.volumes import find, refuse_if_plugged_in

# Taking back what was plugged in a moment ago: most guests have not begun with it.
_UNDO_PATIENCE_S: Final = 60


class PlugIn(Step):
    """The disk of the plan, now and at every later start; what is so already is left alone, so nothing is probed."""

    title = "Plug it in"

    def __init__(self, plan: DiskPlan, *, brought: bool) -> None:
        """`brought` is for a volume that was there before, which others may have by now."""
        self.plan = plan
        self.brought = brought

    def do(self, run: Run) -> None:
        """Plug it in, unless somebody else has the volume or the target by now."""
        volume = find(self.plan.volume)
        with domain_on_host(run.params) as (hypervisor, domain):
            if self.brought:
                _check_brought(hypervisor, volume, domain, shareable=self.plan.shareable)
            try:
                hypervisor.plug_disk(domain, self.plan.spec(volume))
            except AlreadyExists:
                raise Conflict(
                    f"It has another disk {self.plan.target} by now.",
                    fix="Ask again: another name is chosen then.",
                ) from None
            except Unreachable:
                raise
            except HypervisorError as error:
                raise _without_place(hypervisor, domain, self.plan, error) from error
            show(run)

    def undo(self, run: Run) -> None:
        """Take it out, as far as it is this one."""
        path = find(self.plan.volume).path
        with domain_on_host(run.params) as (hypervisor, domain):
            disk = disk_at(hypervisor, domain, self.plan.target)
            if disk is None or disk.path != path:
                return
            with suppress(NotFound):
                hypervisor.undefine_disk(domain, self.plan.target)
            let_go(run, hypervisor, domain, self.plan.target, patience_s=_UNDO_PATIENCE_S)
            refresh(run.params)


def _without_place(
    hypervisor: Hypervisor, domain: UUID, plan: DiskPlan, error: HypervisorError
) -> HypervisorError | Conflict:
    """The reason in our words, where it is that a running machine has no slot for it."""
    facts = hypervisor.read_domain(domain)
    if plan.settings.bus == DiskBus.SATA or facts.live_id is None or DISK in facts.pluggable:
        return error
    return Conflict(
        "It has no free PCI Express slot while it runs.",
        fix="Shut it down and ask again: with the next start it gets one more.",
    )


def _check_brought(hypervisor: Hypervisor, volume: Volume, domain: UUID, *, shareable: bool) -> None:
    """Raise Conflict where others have it, or where its bytes would make QEMU open other files (CVE-2024-32498)."""
    if not shareable:
        refuse_if_plugged_in(hypervisor, volume, besides=domain)
    if volume.ours or volume.format != ImageFormat.QCOW2:
        return
    header = io.BytesIO()
    hypervisor.download_volume(volume.pool.uuid, volume.name, header, length_bytes=qcow2.HEADER_BYTES)
    features = qcow2.details(header.getvalue()).get("features", [])
    if not isinstance(features, list) or "data file" in features:
        raise Conflict(f"{volume} keeps its data in another file of the host.", fix="Make it whole first.")


@procedure("domain.disk.add", verb=Verb.DOMAIN_EDIT)
def add(params: dict[str, Any]) -> Sequence[Step]:
    """The volume first: a machine never waits for a disk that can't be made."""
    plan = DiskPlan.from_params(params)
    return [CreateVolume(plan.volume), PlugIn(plan, brought=False)]


@settled("domain.disk.add")
def drop_if_undone(run: Run, succeeded: bool) -> None:  # noqa: FBT001 (the hook's signature)
    """A volume that did not come to be leaves the list."""
    if not succeeded:
        inventory.drop_reservation(DiskPlan.from_params(run.params).volume)


@procedure("domain.disk.attach", verb=Verb.DOMAIN_EDIT)
def attach(params: dict[str, Any]) -> Sequence[Step]:
    """One call."""
    return [PlugIn(DiskPlan.from_params(params), brought=True)]
