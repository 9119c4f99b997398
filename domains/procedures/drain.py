"""Emptying a host for its maintenance, and bringing its machines back."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from accounts.permissions import Verb
from domains import coming, departures
from domains.draining import Fate
from domains.models import HELD, Domain
from domains.moving import MoveOptions
from domains.procedures.parts import LOOK_EVERY_S, Parts, Report
from domains.procedures.steps import host_of
from hosts.inventory import tell
from hosts.models import Host
from operations.models import Operation
from operations.procedures import Step, procedure
from operations.run import Later, Run


class SetMaintenance(Step):
    """Before the first machine leaves, so that none comes; after the last has asked to come back, the other way."""

    def __init__(self, *, on: bool, before: bool) -> None:
        self.on = on
        self.before = before
        self.title = "Begin maintenance" if on else "End maintenance"

    def do(self, run: Run) -> None:
        """Write it down."""
        self._write(run, on=self.on)

    def undo(self, run: Run) -> None:
        """As it was before."""
        self._write(run, on=self.before)

    def _write(self, run: Run, *, on: bool) -> None:
        host = host_of(run.params)
        Host.objects.filter(pk=host.pk).update(maintenance=on)
        tell(host)


class Empty(Parts):
    """Each machine that runs here leaves, as was chosen for it."""

    title = "Empty the host"

    def do(self, run: Run) -> None:
        """As `Parts` does it; raise Later also while a machine is on its way here that set out before."""
        # Asked before who is here: one that arrives in between is found there.
        arriving = coming.to(host_of(run.params)).first()
        super().do(run)
        if arriving is not None:
            raise Later(after_s=LOOK_EVERY_S, message=f"Waits for the end of this: {arriving.title}")

    def wanted(self, run: Run) -> Iterable[Domain]:
        """Those that are held here and shall not stay; also one that somebody has started meanwhile."""
        running = Domain.objects.present().filter(HELD, host=host_of(run.params))
        rows = running.select_related("host", "team").prefetch_related("disks", "nics").order_by("name")
        return [row for row in rows if _fate(run, row) is not Fate.LEAVE]

    def ask(self, run: Run, domain: Domain) -> Operation:
        """Move it to where it suits best, or shut it down."""
        actor, parent = run.operation.actor, run.operation
        if _fate(run, domain) is Fate.STOP:
            return departures.stop(domain, actor=actor, parent=parent)
        return departures.move(domain, None, MoveOptions(eject=True), actor=actor, parent=parent)


class BringBack(Parts):
    """Each machine that the draining moved or shut down, unless somebody has done something else with it."""

    title = "Bring the machines back"

    def wanted(self, run: Run) -> Iterable[Domain]:
        """Those that are still as the draining left them."""
        keys = [UUID(key) for key in (*run.params["moved"], *run.params["stopped"])]
        rows = Domain.objects.present().filter(uuid__in=keys).select_related("host", "team")
        return [
            row for row in rows.prefetch_related("disks", "nics").order_by("name") if self._open(run, row)
        ]

    def ask(self, run: Run, domain: Domain) -> Operation:
        """Move it back, or start it."""
        actor, parent = run.operation.actor, run.operation
        if str(domain.uuid) in run.params["stopped"]:
            return departures.start(domain, actor=actor, parent=parent)
        return departures.move(
            domain, host_of(run.params), MoveOptions(eject=True), actor=actor, parent=parent
        )

    def _open(self, run: Run, domain: Domain) -> bool:
        here = str(domain.host.uuid) == run.params["host"]
        if str(domain.uuid) in run.params["stopped"]:
            return here and not domain.held
        return not here


def _fate(run: Run, domain: Domain) -> Fate:
    return Fate(run.params["fates"].get(str(domain.uuid), run.params["otherwise"]))


@procedure("host.drain", verb=Verb.HOST_MANAGE)
def drain(params: dict[str, Any]) -> Sequence[Step]:
    """Nothing is taken back because one machine could not leave."""
    return [SetMaintenance(on=True, before=params["maintenance"]), Empty(), Report()]


@procedure("host.bring-back", verb=Verb.HOST_MANAGE)
def bring_back(params: dict[str, Any]) -> Sequence[Step]:
    """The maintenance ends first: nobody may come to a host that is in it."""
    return [SetMaintenance(on=False, before=params["maintenance"]), BringBack(), Report()]
