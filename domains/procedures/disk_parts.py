"""What the work on disks has in common: finding one, and getting a guest to let go of it."""

from __future__ import annotations

from contextlib import suppress
from typing import Final
from uuid import UUID

from django.utils import timezone

from core.errors import Conflict
from hosts.connections import Hypervisor
from hypervisor.errors import NotFound
from hypervisor.facts import DiskFacts
from operations.run import Later, Run

_LOOK_EVERY_S: Final = 2.0


def disk_at(hypervisor: Hypervisor, domain: UUID, target: str) -> DiskFacts | None:
    """The disk or drive of that target; None where there is none."""
    return next((disk for disk in hypervisor.read_domain(domain).disks if disk.target == target), None)


def let_go(run: Run, hypervisor: Hypervisor, domain: UUID, target: str, *, patience_s: float) -> None:
    """Ask the guest for the disk until it is gone from this run; raise Later meanwhile, Conflict where it takes long.

    `patience_s` counts from the first time of asking, which is kept with the operation.
    """
    if hypervisor.disk_documents(domain, target).now is None:
        return
    now = timezone.now().timestamp()
    if "asked_at" not in run.params:
        run.keep(asked_at=now)
    with suppress(NotFound):
        hypervisor.ask_to_unplug(domain, target)
    if hypervisor.disk_documents(domain, target).now is None:
        return
    if timezone.now().timestamp() - run.params["asked_at"] > patience_s:
        raise Conflict(
            f"The guest did not let go of {target}. It may still do so: it was asked.",
            fix="Free it inside the guest (unmount it) and ask again, or shut the machine down first.",
        )
    raise Later(after_s=_LOOK_EVERY_S, message=f"Waiting for the guest to let go of {target}")
