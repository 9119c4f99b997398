"""Making a machine: its disk, its definition, its first start."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Any
from uuid import UUID

from django.db.models.functions import Now

from accounts.permissions import Verb
from core.errors import Conflict
from core.events import publish
from domains import blueprints
from domains.inventory import record_started
from domains.models import Domain, DomainState
from domains.plan import Plan
from domains.procedures.steps import host_of, refresh
from hosts.connections import borrow
from hypervisor.errors import AlreadyInState, NotFound
from operations.procedures import Step, procedure, settled
from operations.run import Run
from storage import inventory
from storage.models import Volume
from storage.procedures import CheckUnused, CreateVolume
from storage.procedures.copies import CloneVolume
from storage.procedures.volumes import find, refuse_if_plugged_in


class CheckHost(Step):
    """The name may have been taken by virsh since the inventory was read."""

    title = "Check the host"

    def do(self, run: Run) -> None:
        """Raise Conflict where the name belongs to another domain."""
        plan = Plan.from_params(run.params)
        with borrow(host_of(run.params)) as hypervisor:
            holder = hypervisor.find_domain_by_name(plan.name)
        if holder not in (None, plan.domain):
            raise Conflict(
                f"The host has a virtual machine called {plan.name} already.", fix="Choose another name."
            )


class Define(Step):
    """libvirt overwrites a domain of the same name and UUID silently; the UUID is ours, so twice is harmless."""

    title = "Define the virtual machine"

    def do(self, run: Run) -> None:
        """Define it as `blueprints` designs it. Raises Conflict where its disk was given away while it was copied."""
        plan, host = Plan.from_params(run.params), host_of(run.params)
        disk = find(plan.disk)
        iso = Volume.objects.present().filter(uuid=plan.iso).first() if plan.iso else None
        if plan.iso and iso is None:
            raise Conflict("The ISO image was deleted.", fix="Choose another one.")
        with borrow(host) as hypervisor:
            if plan.image:
                refuse_if_plugged_in(hypervisor, disk, besides=plan.domain)
            hypervisor.define_domain(blueprints.design(plan, host=host, disk=disk, iso=iso))

    def undo(self, run: Run) -> None:
        """Undefine it, where it is there."""
        domain = Plan.from_params(run.params).domain
        with borrow(host_of(run.params)) as hypervisor, suppress(NotFound):
            hypervisor.undefine_domain(domain)


class Start(Step):
    """Its first start; libvirt itself says whether there was one already."""

    title = "Start it"

    def do(self, run: Run) -> None:
        """Start it; a start that won the race against this one counts, and so does an earlier attempt's."""
        domain = UUID(run.params["domain"])
        with borrow(host_of(run.params)) as hypervisor:
            try:
                hypervisor.start_domain(domain)
            except AlreadyInState:
                run.log("It was started already.")
            else:
                record_started(domain)

    def undo(self, run: Run) -> None:
        """Pull the plug: nothing in it is worth keeping yet."""
        domain = UUID(run.params["domain"])
        with borrow(host_of(run.params)) as hypervisor, suppress(AlreadyInState, NotFound):
            hypervisor.destroy_domain(domain)


class Verify(Step):
    """Look at what came of it, and write it down."""

    title = "Verify"

    def do(self, run: Run) -> None:
        """Raise Conflict where it should run and doesn't."""
        domain = refresh(run.params)
        if run.params["start"] and domain.state != DomainState.RUNNING:
            raise Conflict(f"It was started, and is {domain.get_state_display().lower()} now.")


@procedure("domain.create", verb=Verb.DOMAIN_CREATE)
def create(params: dict[str, Any]) -> Sequence[Step]:
    """The steps for a `Plan`."""
    plan = Plan.from_params(params)
    start = [Start()] if plan.start else []
    return [CheckHost(), _disk(plan), Define(), *start, Verify()]


def _disk(plan: Plan) -> Step:
    if plan.as_it_is:
        return CheckUnused(plan.disk, besides=plan.domain)
    if plan.image is None:
        return CreateVolume(plan.disk)
    return CloneVolume(plan.image, plan.disk, format=find(plan.image).format, title="Copy the image")


@settled("domain.create")
def forget_if_undone(run: Run, succeeded: bool) -> None:  # noqa: FBT001 (the hook's signature)
    """A machine that did not come to be leaves the list, with its disk, unless that was there before."""
    plan = Plan.from_params(run.params)
    if plan.as_it_is:
        Volume.objects.filter(uuid=plan.disk, gone_at=None).update(ready=True)
    if not succeeded:
        forget(run, [] if plan.as_it_is else [plan.disk])


def forget(run: Run, volumes: Iterable[UUID]) -> None:
    """Drop the rows of a machine that did not come to be; one that could not be taken back stays, to be seen."""
    for volume in volumes:
        inventory.drop_reservation(volume)
    if run.operation.left_behind:
        return
    domain = UUID(run.params["domain"])
    Domain.objects.filter(uuid=domain, gone_at=None).update(gone_at=Now())
    publish("domain", domain)
    publish("domains")
