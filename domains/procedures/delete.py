"""Deleting a machine, and the disks that were chosen to go with it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from accounts.permissions import Verb
from core.errors import Conflict
from domains import inventory
from domains.models import Domain
from domains.procedures.steps import host_of
from hosts.connections import borrow
from hypervisor.errors import AlreadyInState, NotFound
from operations.procedures import Step, procedure
from operations.run import Run
from storage.procedures import CheckUnused, DeleteVolume


class PowerOff(Step):
    """Pull the plug; the person was told so."""

    title = "Force it off"

    def do(self, run: Run) -> None:
        """What is off or gone already counts as done. Raises Conflict where it was protected meanwhile."""
        if Domain.objects.filter(uuid=run.params["domain"], protected=True).exists():
            raise Conflict("It is protected from deletion.", fix="Lift the protection on its page first.")
        with borrow(host_of(run.params)) as hypervisor:
            try:
                hypervisor.destroy_domain(UUID(run.params["domain"]))
            except (AlreadyInState, NotFound):
                run.log("It was off already.")


class Undefine(Step):
    """From here there is no way back: the definition is gone with its firmware variables."""

    title = "Remove its definition"
    point_of_no_return = True
    keep_state = False

    def probe(self, run: Run) -> bool:
        """Whether the host has forgotten it."""
        with borrow(host_of(run.params)) as hypervisor:
            return not hypervisor.domain_exists(UUID(run.params["domain"]))

    def do(self, run: Run) -> None:
        """Undefine it."""
        with borrow(host_of(run.params)) as hypervisor:
            hypervisor.undefine_domain(UUID(run.params["domain"]), keep_state=self.keep_state)


class Forget(Step):
    """The row stays, with the time when the machine went."""

    title = "Forget it"

    def do(self, run: Run) -> None:
        """Write it down."""
        inventory.record_gone(host_of(run.params), UUID(run.params["domain"]))


@procedure("domain.delete", verb=Verb.DOMAIN_DELETE)
def delete(params: dict[str, Any]) -> Sequence[Step]:
    """Disks go after the definition: a machine without disks is worse than disks without a machine."""
    volumes = [UUID(volume) for volume in params["volumes"]]
    check = CheckUnused(*volumes, besides=UUID(params["domain"]))
    return [check, PowerOff(), Undefine(), Forget(), *map(DeleteVolume, volumes)]
