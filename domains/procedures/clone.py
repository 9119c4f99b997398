"""Making a machine from another: copies of its disks, or layers on them, and its definition with a new identity."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from accounts.permissions import Verb
from core.errors import Conflict
from domains.blueprints import VNC_PASSWORD_BYTES
from domains.cloning import ClonePlan
from domains.procedures.create import Start, Verify, forget
from domains.procedures.steps import host_by
from hosts.connections import Hypervisor, borrow
from hypervisor.errors import NotFound
from hypervisor.facts import DomainFacts
from hypervisor.specs import BackingSpec, ImageFormat
from hypervisor.xml import copies
from operations.procedures import Step, procedure, settled
from operations.run import Run
from storage.procedures.copies import CloneVolume, LayVolume
from storage.procedures.volumes import find, refuse_if_plugged_in


class CheckOriginal(Step):
    """virsh may have started it, taken the new name, or plugged other disks in since the inventory was read."""

    title = "Look at the original"

    def do(self, run: Run) -> None:
        """Raise Conflict where it can't be copied as planned."""
        plan = ClonePlan.from_params(run.params)
        with borrow(host_by(plan.host)) as hypervisor:
            holder = hypervisor.find_domain_by_name(plan.name)
            facts = _off(hypervisor, plan)
            for words in copies.left_out(hypervisor.read_document(plan.source).xml):
                run.log(f"The copy does not get a {words}: two machines can't have the same.")
        if holder not in (None, plan.domain):
            raise Conflict(
                f"The host has a virtual machine called {plan.name} already.", fix="Choose another name."
            )
        paths = {disk.target: find(disk.source).path for disk in plan.disks}
        if {d.target: d.path for d in facts.disks if d.device not in ("cdrom", "floppy")} != paths:
            raise Conflict("The disks of the original were changed meanwhile.", fix="Ask for it again.")


class Define(Step):
    """The original's definition with another identity. The UUID is ours, so twice is harmless."""

    title = "Define the virtual machine"

    def probe(self, run: Run) -> bool:
        """Whether the host knows the UUID."""
        plan = ClonePlan.from_params(run.params)
        with borrow(host_by(plan.host)) as hypervisor:
            return hypervisor.domain_exists(plan.domain)

    def do(self, run: Run) -> None:
        """Define it. Raises Conflict where the original was started, or a copy given away, while it was copied."""
        plan = ClonePlan.from_params(run.params)
        with borrow(host_by(plan.host)) as hypervisor:
            _off(hypervisor, plan)
            for disk in plan.disks:
                refuse_if_plugged_in(hypervisor, find(disk.volume))
            original = hypervisor.read_document(plan.source).xml
            hypervisor.define_document(_document(plan, original))

    def undo(self, run: Run) -> None:
        """Undefine it, where it is there."""
        plan = ClonePlan.from_params(run.params)
        with borrow(host_by(plan.host)) as hypervisor, suppress(NotFound):
            hypervisor.undefine_domain(plan.domain)


def _off(hypervisor: Hypervisor, plan: ClonePlan) -> DomainFacts:
    try:
        facts = hypervisor.read_domain(plan.source)
    except NotFound:
        raise Conflict("The original is not on its host any more.") from None
    if facts.live_id is not None:
        raise Conflict(
            f"{facts.name} was started: its disks change under the copy.", fix="Shut it down, and ask again."
        )
    return facts


def _document(plan: ClonePlan, original: str) -> str:
    identity = copies.NewIdentity(
        uuid=plan.domain,
        name=plan.name,
        description=plan.description,
        vcpus=plan.vcpus,
        memory_mib=plan.memory_mib,
        disks={disk.target: _new_disk(plan, disk.target) for disk in plan.disks},
        macs=plan.macs,
        vnc_password=secrets.token_urlsafe(VNC_PASSWORD_BYTES),
    )
    xml = copies.cloned(original, identity)
    return xml if plan.network is None else copies.set_network(xml, plan.network)


def _new_disk(plan: ClonePlan, target: str) -> copies.NewDisk:
    disk = next(disk for disk in plan.disks if disk.target == target)
    made = find(disk.volume)
    base = BackingSpec(path=find(disk.source).path, format=ImageFormat(disk.format)) if plan.linked else None
    return copies.NewDisk(path=made.path, format=ImageFormat(made.format), backing=base)


@procedure("domain.clone", verb=Verb.DOMAIN_CREATE)
def clone(params: dict[str, Any]) -> Sequence[Step]:
    """The steps for a `ClonePlan`."""
    plan = ClonePlan.from_params(params)
    disks: list[Step] = [
        LayVolume(disk.source, disk.volume, format=disk.format)
        if plan.linked
        else CloneVolume(disk.source, disk.volume, format=disk.format, title=f"Copy disk {disk.target}")
        for disk in plan.disks
    ]
    start = [Start()] if plan.start else []
    return [CheckOriginal(), *disks, Define(), *start, Verify()]


@settled("domain.clone")
def forget_if_undone(run: Run, succeeded: bool) -> None:  # noqa: FBT001 (the hook's signature)
    """A machine that did not come to be leaves the list, with its disks."""
    if not succeeded:
        forget(run, [disk.volume for disk in ClonePlan.from_params(run.params).disks])
