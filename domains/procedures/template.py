"""A machine becomes a template, and back: its disks may not be written to, whoever would start it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from accounts.permissions import Verb
from core.errors import Conflict
from core.events import publish
from domains import inventory
from domains.lifecycle import refusal
from domains.models import Domain
from domains.procedures.steps import domain_on_host
from domains.templates import FROZEN
from hypervisor.xml.copies import freeze_disks, thaw_disks
from operations.procedures import Step, procedure, settled
from operations.run import Run

_AUTOSTART = "autostart"


class Freeze(Step):
    """The panel never starts a template; with its disks read-only in the definition, virsh does no harm either."""

    title = "Make its disks read-only"

    def do(self, run: Run) -> None:
        """Twice is once. Raises Conflict where it was started meanwhile."""
        with domain_on_host(run.params) as (hypervisor, uuid):
            facts = hypervisor.read_domain(uuid)
            if facts.live_id is not None:
                raise Conflict(f"{facts.name} was started meanwhile.", fix="Shut it down, and ask again.")
            if facts.autostart:
                run.keep(**{_AUTOSTART: True})
                hypervisor.set_autostart(uuid, enabled=False)
            if FROZEN not in run.params:
                disks = [disk for disk in facts.disks if disk.device == "disk" and not disk.readonly]
                run.keep(**{FROZEN: [disk.target for disk in disks]})
            hypervisor.redefine(uuid, freeze_disks)

    def undo(self, run: Run) -> None:
        """As it was before."""
        if FROZEN in run.params:
            _thaw(run)


class Thaw(Step):
    """From here its disks may change, so nothing may be based on them."""

    title = "Make its disks writable"

    def do(self, run: Run) -> None:
        """Twice is once. Raises Conflict where a machine was made from it meanwhile."""
        why = refusal("domain.untemplate", Domain.objects.get(uuid=run.params["domain"]))
        if why:
            raise Conflict(why)
        _thaw(run)

    def undo(self, run: Run) -> None:
        """A template again."""
        with domain_on_host(run.params) as (hypervisor, uuid):
            hypervisor.redefine(uuid, freeze_disks)


class Record(Step):
    """What virsh would say of it now."""

    title = "Write it down"

    def do(self, run: Run) -> None:
        """Read it anew."""
        with domain_on_host(run.params) as (hypervisor, uuid):
            host = Domain.objects.select_related("host").get(uuid=uuid).host
            inventory.record_domain(host, hypervisor.read_domain(uuid))


def _thaw(run: Run) -> None:
    with domain_on_host(run.params) as (hypervisor, uuid):
        hypervisor.redefine(uuid, partial(thaw_disks, targets=run.params[FROZEN]))
        if run.params.get(_AUTOSTART):
            hypervisor.set_autostart(uuid, enabled=True)


@procedure("domain.template", verb=Verb.DOMAIN_CREATE)
def make_template(_params: dict[str, Any]) -> Sequence[Step]:
    """One machine."""
    return [Freeze(), Record()]


@procedure("domain.untemplate", verb=Verb.DOMAIN_CREATE)
def make_machine(_params: dict[str, Any]) -> Sequence[Step]:
    """One template."""
    return [Thaw(), Record()]


@settled("domain.template")
def note_template(run: Run, succeeded: bool) -> None:  # noqa: FBT001 (the hook's signature)
    """In the transaction that ends the operation: nobody could begin anything else before."""
    if succeeded:
        _write(run, template=True, cleared=run.params["cleared"])


@settled("domain.untemplate")
def note_machine(run: Run, succeeded: bool) -> None:  # noqa: FBT001 (the hook's signature)
    """The same, back."""
    if succeeded:
        _write(run, template=False, cleared=[])


def _write(run: Run, **values: Any) -> None:
    Domain.objects.filter(uuid=run.params["domain"]).update(**values)
    publish("domain", run.params["domain"])
    publish("domains")
