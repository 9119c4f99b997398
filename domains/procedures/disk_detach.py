"""Taking a disk out of a machine, with its guest's consent."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any
from uuid import UUID

from accounts.permissions import Verb
from core.errors import Conflict
from domains.models import Domain
from domains.procedures.disk_parts import disk_at, let_go
from domains.procedures.steps import domain_on_host, refresh, show
from hypervisor.driver_disks import DiskDocuments
from hypervisor.errors import NotFound
from hypervisor.facts import DiskFacts
from operations.procedures import Step, procedure, settled
from operations.run import Run
from storage.models import Volume
from storage.procedures import DeleteVolume


class LetGo(Step):
    """The guest must agree; what it has open on the disk it may want to finish."""

    title = "Let the guest let go of it"

    def __init__(self, target: str, path: str, patience_s: float) -> None:
        self.target = target
        self.path = path
        self.patience_s = patience_s

    def probe(self, run: Run) -> bool:
        """Whether this run has no such disk."""
        with domain_on_host(run.params) as (hypervisor, domain):
            return hypervisor.disk_documents(domain, self.target).now is None

    def do(self, run: Run) -> None:
        """Ask, and wait without a worker. Raises Conflict where it is another disk by now."""
        with domain_on_host(run.params) as (hypervisor, domain):
            _check_same(disk_at(hypervisor, domain, self.target), self.path)
            if "now" not in run.params:
                run.keep(now=hypervisor.disk_documents(domain, self.target).now)
            let_go(run, hypervisor, domain, self.target, patience_s=self.patience_s)

    def undo(self, run: Run) -> None:
        """Plug it in again, where the machine still runs and has let go of it."""
        if run.params.get("now"):
            with domain_on_host(run.params) as (hypervisor, domain):
                back = DiskDocuments(now=run.params["now"], later=None)
                hypervisor.plug_documents(domain, self.target, back)
                refresh(run.params)


class Undefine(Step):
    """From the next start on the machine does without."""

    title = "Take it out of the definition"

    def __init__(self, target: str, path: str) -> None:
        self.target = target
        self.path = path

    def probe(self, run: Run) -> bool:
        """Whether the definition has no such disk."""
        with domain_on_host(run.params) as (hypervisor, domain):
            gone = hypervisor.disk_documents(domain, self.target).later is None
            if gone:
                refresh(run.params)
            return gone

    def do(self, run: Run) -> None:
        """Take it out. Raises Conflict where it is another disk by now."""
        with domain_on_host(run.params) as (hypervisor, domain):
            _check_same(disk_at(hypervisor, domain, self.target), self.path)
            run.keep(later=hypervisor.disk_documents(domain, self.target).later)
            with suppress(NotFound):
                hypervisor.undefine_disk(domain, self.target)
            show(run)

    def undo(self, run: Run) -> None:
        """Put it back."""
        if run.params.get("later"):
            with domain_on_host(run.params) as (hypervisor, domain):
                back = DiskDocuments(now=None, later=run.params["later"])
                hypervisor.plug_documents(domain, self.target, back)
                refresh(run.params)


def _check_same(disk: DiskFacts | None, path: str) -> None:
    """Raise Conflict where the target is another disk's than that of `path`: now, or from the next start on."""
    if disk is not None and {disk.path, dict(disk.pending).get("path", disk.path)} != {path}:
        raise Conflict(f"{disk.target} is another disk by now.", fix="Look at the machine again.")


@procedure("domain.disk.detach", verb=Verb.DOMAIN_EDIT)
def detach(params: dict[str, Any]) -> Sequence[Step]:
    """The guest first: as long as it may refuse, nothing has changed."""
    steps: list[Step] = [
        LetGo(params["target"], params["path"], params["patience_s"]),
        Undefine(params["target"], params["path"]),
    ]
    return [*steps, DeleteVolume(UUID(params["volume"]))] if "volume" in params else steps


@settled("domain.disk.detach")
def remember_whose(run: Run, succeeded: bool) -> None:  # noqa: FBT001 (the hook's signature)
    """What is on the disk stays its team's."""
    domain = Domain.objects.filter(uuid=run.params["domain"]).first()
    if succeeded and domain is not None and run.params["path"]:
        here = Volume.objects.filter(pool__host=domain.host_id, path=run.params["path"], gone_at=None)
        here.filter(team=None).update(team=domain.team)
