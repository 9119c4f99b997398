"""Defining a machine anew, where nobody else did meanwhile."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

from accounts.permissions import Verb
from core.errors import Conflict
from domains import drafts
from domains.claims import new_disks
from domains.models import DomainDraft
from domains.procedures.claims import refuse_if_taken
from domains.procedures.steps import domain_on_host, host_of, refresh, show
from hypervisor.errors import Changed
from hypervisor.xml.leaves import carries
from hypervisor.xml.parse import document_sha
from operations.procedures import Step, procedure, settled
from operations.run import Run

# Kept before the definition is touched: what differs later may then be our own doing.
_BEGUN: Final = "begun"


class Define(Step):
    """libvirt says neither who defined a domain nor what for: after a crash only its document can tell."""

    title = "Change the definition"

    def probe(self, run: Run) -> bool:
        """Whether all that the draft changes is so already, by an attempt of before."""
        if not run.params.get(_BEGUN):
            return False
        found = _draft(run)
        with domain_on_host(run.params) as (hypervisor, uuid):
            now = hypervisor.read_definition(uuid)
        if document_sha(now) == found.base.sha or not carries(found.base.xml, found.xml, now):
            return False
        refresh(run.params)
        return True

    def do(self, run: Run) -> None:
        """Define it. Raises Conflict where the draft's base is not in force any more, or something is in the way.

        That is a disk that others have, also where only the host knows of it, memory that was saved, and any objection.
        """
        found = _draft(run)
        wanted = found.xml
        new = [
            one.text
            for one in drafts.in_the_way(found.domain, found.base.xml, wanted)
            if one.final or one.key not in found.ticked
        ]
        if new:
            raise Conflict(f"It is objected to by now: {' '.join(new)}", fix="Look at the draft again.")
        with domain_on_host(run.params) as (hypervisor, uuid):
            if hypervisor.read_domain(uuid).managed_save:
                raise Conflict(
                    "It has saved memory, which would not fit afterwards.",
                    fix="Start it, or discard that first.",
                )
            refuse_if_taken(hypervisor, host_of(run.params), new_disks(found.base.xml, wanted), besides=uuid)
            run.keep(**{_BEGUN: True})
            try:
                hypervisor.redefine(uuid, lambda _: wanted, expected_sha=found.base.sha)
            except Changed as error:
                raise Conflict(error.message, fix="Begin again from the one that is in force now.") from error
        show(run)

    def undo(self, run: Run) -> None:
        """Define it as it was, where the change is there."""
        if not run.params.get(_BEGUN):
            return
        found = _draft(run)
        before = found.base.xml
        with domain_on_host(run.params) as (hypervisor, uuid):
            now = hypervisor.read_definition(uuid)
            if document_sha(now) != found.base.sha and carries(before, found.xml, now):
                hypervisor.redefine(uuid, lambda _: before, expected_sha=document_sha(now))
                refresh(run.params)


def _draft(run: Run) -> DomainDraft:
    found = (
        DomainDraft.objects.select_related("base", "domain__host")
        .filter(pk=UUID(run.params["draft"]))
        .first()
    )
    if found is None:
        raise Conflict("The draft is gone.", fix="Write it anew.")
    return found


@procedure("domain.define", verb=Verb.DOMAIN_DEFINE)
def define(params: dict[str, Any]) -> Sequence[Step]:
    """One effect, and nothing to prepare."""
    return [Define()]


@settled("domain.define")
def forget_draft(run: Run, succeeded: bool) -> None:  # noqa: FBT001 (the hook's signature)
    """What was applied is a version now; what failed waits for its author to go on."""
    if succeeded:
        DomainDraft.objects.filter(pk=UUID(run.params["draft"])).delete()
