"""Media in drives, and the drives themselves."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Final

from accounts.permissions import Verb
from core.errors import Conflict
from domains.disk_choices import DRIVES
from domains.procedures.disk_parts import disk_at
from domains.procedures.steps import domain_on_host, refresh, show
from hypervisor.driver_disks import DiskDocuments
from hypervisor.errors import AlreadyExists, HypervisorError, NotFound
from hypervisor.facts import DiskFacts
from hypervisor.specs import CdromSpec
from operations.procedures import Step, procedure
from operations.run import Run

# What QEMU and libvirt say of a tray that the guest holds shut.
_LOCKED: Final = ("locked", "tray")


class ChangeMedium(Step):
    """What is in the drive now and at the next start."""

    title = "Change the medium"

    def __init__(self, target: str, path: str | None, *, force: bool) -> None:
        self.target = target
        self.path = path
        self.force = force

    def probe(self, run: Run) -> bool:
        """Whether this is in it, and nothing else will be."""
        with domain_on_host(run.params) as (hypervisor, domain):
            drive = disk_at(hypervisor, domain, self.target)
            if drive is None or drive.path != (self.path or "") or _next(drive) != drive.path:
                return False
            refresh(run.params)
            return True

    def do(self, run: Run) -> None:
        """Change it. Raises Conflict where the guest holds on to what is in it."""
        with domain_on_host(run.params) as (hypervisor, domain):
            drive = disk_at(hypervisor, domain, self.target)
            if drive is None or drive.device not in DRIVES:
                raise Conflict(f"It has no drive {self.target} any more.")
            if "before" not in run.params:
                run.keep(before=drive.path or None)
            try:
                hypervisor.change_media(domain, target=self.target, path=self.path, force=self.force)
            except HypervisorError as error:
                if not self.force and any(word in error.message for word in _LOCKED):
                    raise Conflict(
                        f"The guest holds on to what is in {self.target}.",
                        fix="Eject it inside the guest, or force it: what the guest reads from it then fails.",
                    ) from error
                raise
            show(run)

    def undo(self, run: Run) -> None:
        """What was in it before."""
        if "before" not in run.params:
            return
        with domain_on_host(run.params) as (hypervisor, domain):
            drive = disk_at(hypervisor, domain, self.target)
            before = run.params["before"]
            if drive is not None and (drive.path != (before or "") or _next(drive) != drive.path):
                hypervisor.change_media(domain, target=self.target, path=before)
            refresh(run.params)


def _next(drive: DiskFacts) -> str:
    return dict(drive.pending).get("path", drive.path)


class AddDrive(Step):
    """An empty CD drive, for machines that are off."""

    title = "Add the drive"

    def __init__(self, target: str) -> None:
        self.target = target

    def do(self, run: Run) -> None:
        """Add it; one that is there and empty counts."""
        with domain_on_host(run.params) as (hypervisor, domain):
            _refuse_while_on(hypervisor.read_domain(domain).live_id)
            try:
                hypervisor.plug_disk(domain, CdromSpec(target=self.target))
            except AlreadyExists:
                raise Conflict(f"It has another disk {self.target} by now.", fix="Ask again.") from None
            show(run)

    def undo(self, run: Run) -> None:
        """Take it out."""
        with domain_on_host(run.params) as (hypervisor, domain):
            drive = disk_at(hypervisor, domain, self.target)
            if drive is not None and drive.device in DRIVES and not drive.path:
                hypervisor.undefine_disk(domain, self.target)
            refresh(run.params)


class TakeOutDrive(Step):
    """Of machines that are off. The image stays where it lies."""

    title = "Take the drive out"

    def __init__(self, target: str) -> None:
        self.target = target

    def do(self, run: Run) -> None:
        """Take it out; what it was is kept first."""
        with domain_on_host(run.params) as (hypervisor, domain):
            drive = disk_at(hypervisor, domain, self.target)
            if drive is not None:
                if drive.device not in DRIVES:
                    raise Conflict(f"{self.target} is a disk by now.")
                _refuse_while_on(hypervisor.read_domain(domain).live_id)
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


def _refuse_while_on(live_id: int | None) -> None:
    if live_id is not None:
        raise Conflict("It was started meanwhile: drives change only while it is off.")


@procedure("domain.media.change", verb=Verb.DOMAIN_EDIT)
def change(params: dict[str, Any]) -> Sequence[Step]:
    """One drive."""
    return [ChangeMedium(params["target"], params["path"], force=params["force"])]


@procedure("domain.drive.add", verb=Verb.DOMAIN_EDIT)
def add(params: dict[str, Any]) -> Sequence[Step]:
    """One drive."""
    return [AddDrive(params["target"])]


@procedure("domain.drive.detach", verb=Verb.DOMAIN_EDIT)
def detach(params: dict[str, Any]) -> Sequence[Step]:
    """One drive."""
    return [TakeOutDrive(params["target"])]
