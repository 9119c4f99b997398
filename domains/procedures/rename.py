"""Another name for a machine that is off."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from accounts.permissions import Verb
from core.errors import Conflict
from domains.procedures.steps import domain_on_host, refresh
from hosts.connections import Hypervisor
from hypervisor.errors import AlreadyExists
from hypervisor.xml.copies import keep_nvram
from operations.procedures import Step, procedure
from operations.run import Run


class Rename(Step):
    """libvirt renames what is off, and nothing else."""

    title = "Rename it"

    def probe(self, run: Run) -> bool:
        """Whether it is called so."""
        with domain_on_host(run.params) as (hypervisor, uuid):
            return hypervisor.find_domain_by_name(run.params["name"]) == uuid

    def do(self, run: Run) -> None:
        """Rename it. Raises Conflict where the name is taken, or the machine was started meanwhile."""
        with domain_on_host(run.params) as (hypervisor, uuid):
            if hypervisor.read_domain(uuid).live_id is not None:
                raise Conflict("It was started meanwhile.", fix="Shut it down, and ask again.")
            hypervisor.redefine(uuid, keep_nvram)
            _rename(hypervisor, uuid, run.params["name"])

    def undo(self, run: Run) -> None:
        """The old name."""
        with domain_on_host(run.params) as (hypervisor, uuid):
            if hypervisor.find_domain_by_name(run.params["name"]) == uuid:
                _rename(hypervisor, uuid, run.params["before"])


class Record(Step):
    """What it is called now."""

    title = "Write it down"

    def do(self, run: Run) -> None:
        """Read it anew."""
        refresh(run.params)


def _rename(hypervisor: Hypervisor, uuid: UUID, name: str) -> None:
    try:
        hypervisor.rename_domain(uuid, name)
    except AlreadyExists:
        raise Conflict(
            f"The host has a virtual machine called {name} already.", fix="Choose another name."
        ) from None


@procedure("domain.rename", verb=Verb.DOMAIN_EDIT)
def rename(_params: dict[str, Any]) -> Sequence[Step]:
    """One machine."""
    return [Rename(), Record()]
