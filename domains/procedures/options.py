"""Changing what a machine is: at its next start, and at once where QEMU can.

The definition changes in one call, compared first with what the person saw. Whether it was done is told by the edit
itself: one that has nothing left to change was carried out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final
from uuid import UUID

from accounts.permissions import Verb
from core.errors import Conflict
from domains.lifecycle import RULES
from domains.procedures.steps import domain_on_host, show
from hosts.connections import Hypervisor
from hypervisor.errors import AlreadyInState, Changed
from hypervisor.facts import OptionFacts
from hypervisor.xml import edit_label, edit_size, edit_start
from hypervisor.xml.elements import document, serialize
from operations.procedures import Step, procedure
from operations.run import Cancelled, Run

EDITS: Final[dict[str, Callable[..., str]]] = {
    "domain.change.cpu": edit_size.set_cpu,
    "domain.change.memory": edit_size.set_memory,
    "domain.change.boot": edit_start.set_boot_order,
    "domain.change.firmware": edit_start.set_firmware,
    "domain.change.tpm": edit_start.set_tpm,
    "domain.change.clock": edit_start.set_clock,
    "domain.change.label": edit_label.set_labels,
}
LIVE: Final[dict[str, Callable[[Hypervisor, UUID, int], None]]] = {
    "vcpus": Hypervisor.set_live_vcpus,
    "memory_mib": Hypervisor.set_live_memory,
}


class ChangeLive(Step):
    """One number of the running machine."""

    title = "Change it while it runs"

    def __init__(self, what: str) -> None:
        self._what = what

    def probe(self, run: Run) -> bool:
        """Whether it has it already."""
        with domain_on_host(run.params) as (hypervisor, domain):
            live = hypervisor.read_domain(domain).live
        return live is not None and self._value(live) == self._wanted(run)

    def do(self, run: Run) -> None:
        """Change it, unless the definition is not the one that the person saw, or it went off meanwhile."""
        with domain_on_host(run.params) as (hypervisor, domain):
            _compare(hypervisor, domain, run)
            live = hypervisor.read_domain(domain).live
            if live is None:
                run.log("It is off by now: its next start brings the change.")
                return
            if "before" not in run.params:
                run.keep(before=self._value(live))
            LIVE[self._what](hypervisor, domain, self._wanted(run))
        if self._what == "memory_mib":
            run.log("Its guest was asked; how fast it gives or takes memory is up to its balloon driver.")

    def undo(self, run: Run) -> None:
        """The number that it had before, where it runs on."""
        if "before" not in run.params:
            return
        with domain_on_host(run.params) as (hypervisor, domain):
            live = hypervisor.read_domain(domain).live
            if live is not None and self._value(live) != run.params["before"]:
                LIVE[self._what](hypervisor, domain, run.params["before"])

    def _wanted(self, run: Run) -> int:
        return int(run.params["live"][self._what])

    def _value(self, live: OptionFacts) -> int:
        return int(getattr(live, self._what))


class Define(Step):
    """The definition alone, in one call."""

    title = "Change the definition"

    def __init__(self, edit: Callable[[str], str]) -> None:
        self._edit = edit

    def probe(self, run: Run) -> bool:
        """Whether nothing is left to change."""
        with domain_on_host(run.params) as (hypervisor, domain):
            now = hypervisor.read_document(domain).xml
        return self._edit(now) == serialize(document(now))

    def do(self, run: Run) -> None:
        """Change it, unless somebody else did since the person saw it. From then on there is nothing to take back."""
        with domain_on_host(run.params) as (hypervisor, domain):
            _compare(hypervisor, domain, run)
            if not run.commit():
                raise Cancelled
            hypervisor.redefine(domain, self._edit, expected_sha=run.params["sha"])
        show(run)


class ShowLabels(Step):
    """What is only words changes at once, also where it runs."""

    title = "Tell the running machine"

    def do(self, run: Run) -> None:
        """Copy them from the definition."""
        with domain_on_host(run.params) as (hypervisor, domain):
            if hypervisor.read_domain(domain).live is not None:
                hypervisor.show_labels(domain)
        show(run)


class StartFrom(Step):
    """A start with another boot order than the definition's; libvirt forgets it when the machine stops."""

    point_of_no_return = True

    def __init__(self, device: str) -> None:
        self._device = device
        self.title = f"Start it from {device}"

    def probe(self, run: Run) -> bool:
        """Whether it runs, and booted from there."""
        with domain_on_host(run.params) as (hypervisor, domain):
            live = hypervisor.read_domain(domain).live
        return live is not None and live.boot[:1] == (self._device,)

    def do(self, run: Run) -> None:
        """Start it; one that somebody else started meanwhile did not boot from there."""
        with domain_on_host(run.params) as (hypervisor, domain):
            try:
                hypervisor.start_from(domain, self._device)
            except AlreadyInState:
                raise Conflict(
                    "It was started meanwhile, and not from there.", fix="Shut it down, and ask again."
                ) from None
        show(run)


def _compare(hypervisor: Hypervisor, domain: UUID, run: Run) -> None:
    if hypervisor.read_document(domain).sha != run.params["sha"]:
        raise Changed("Its definition was changed meanwhile, so nothing was done.")


def _register(kind: str) -> None:
    @procedure(kind, verb=RULES[kind].verb)
    def steps(params: dict[str, Any]) -> Sequence[Step]:
        define = Define(partial(EDITS[kind], **params["change"]))
        at_once = [ChangeLive(what) for what in params["live"]]
        told = [ShowLabels()] if kind == "domain.change.label" else []
        return [*at_once, define, *told]


for _kind in EDITS:
    _register(_kind)


@procedure("domain.start-from", verb=Verb.DOMAIN_POWER)
def start_from(params: dict[str, Any]) -> Sequence[Step]:
    """One start."""
    return [StartFrom(params["device"])]
