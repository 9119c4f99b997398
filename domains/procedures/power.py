"""Power verbs: one step each. What is so already counts as done."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any
from uuid import UUID

from accounts.permissions import Verb
from domains.power import PowerVerb
from domains.procedures.steps import domain_on_host, refresh
from hosts.connections import Hypervisor
from hypervisor.errors import AlreadyInState, Unreachable
from operations.procedures import Step, procedure
from operations.run import Run

CALLS: dict[PowerVerb, Callable[[Hypervisor, UUID], None]] = {
    PowerVerb.START: Hypervisor.start_domain,
    PowerVerb.SHUTDOWN: Hypervisor.shutdown_domain,
    PowerVerb.REBOOT: Hypervisor.reboot_domain,
    PowerVerb.RESET: Hypervisor.reset_domain,
    PowerVerb.FORCE_OFF: Hypervisor.destroy_domain,
    PowerVerb.SUSPEND: Hypervisor.suspend_domain,
    PowerVerb.RESUME: Hypervisor.resume_domain,
}
TITLES: dict[PowerVerb, str] = {
    PowerVerb.START: "Start",
    PowerVerb.SHUTDOWN: "Press the power button",
    PowerVerb.REBOOT: "Ask for a reboot",
    PowerVerb.RESET: "Press the reset button",
    PowerVerb.FORCE_OFF: "Pull the plug",
    PowerVerb.SUSPEND: "Pause",
    PowerVerb.RESUME: "Resume",
}


# Called twice these are two reboots; of the others the second call finds it done.
ONCE = frozenset({PowerVerb.SHUTDOWN, PowerVerb.REBOOT, PowerVerb.RESET})


class Power(Step):
    """One call to the host."""

    def __init__(self, verb: PowerVerb) -> None:
        self.verb = verb
        self.title = TITLES[verb]
        self.at_most_once = verb in ONCE

    def do(self, run: Run) -> None:
        """Call, and read what came of it."""
        with domain_on_host(run.params) as (hypervisor, domain):
            try:
                CALLS[self.verb](hypervisor, domain)
            except AlreadyInState:
                run.log("It was so already.")
            with suppress(Unreachable):  # it was done; the watcher sees it as well
                refresh(run.params)


def _register(verb: PowerVerb) -> None:
    @procedure(f"domain.{verb}", verb=Verb.DOMAIN_POWER)
    def steps(params: dict[str, Any]) -> Sequence[Step]:
        return [Power(verb)]


for _verb in PowerVerb:
    _register(_verb)
