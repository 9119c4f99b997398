"""Power verbs: one step each, but for those that wait. What is so already counts as done."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final
from uuid import UUID

from domains.power import RULES, PowerVerb
from domains.procedures.steps import domain_on_host, show
from hosts.connections import Hypervisor
from hypervisor.errors import AlreadyInState
from hypervisor.facts import AskedBy
from operations.procedures import Step, procedure
from operations.run import Run

CALLS: Final[dict[PowerVerb, Callable[[Hypervisor, UUID], AskedBy | None]]] = {
    PowerVerb.START: Hypervisor.start_domain,
    PowerVerb.START_PAUSED: partial(Hypervisor.start_domain, paused=True),
    PowerVerb.START_FRESH: partial(Hypervisor.start_domain, fresh=True),
    PowerVerb.SHUTDOWN: Hypervisor.shutdown_domain,
    PowerVerb.REBOOT: Hypervisor.reboot_domain,
    PowerVerb.SUSPEND: Hypervisor.suspend_domain,
    PowerVerb.RESUME: Hypervisor.resume_domain,
    PowerVerb.DISCARD_SAVED: Hypervisor.discard_saved,
    PowerVerb.RESET: Hypervisor.reset_domain,
    PowerVerb.FORCE_OFF: Hypervisor.destroy_domain,
    PowerVerb.AUTOSTART_ON: partial(Hypervisor.set_autostart, enabled=True),
    PowerVerb.AUTOSTART_OFF: partial(Hypervisor.set_autostart, enabled=False),
}
TITLES: Final[dict[PowerVerb, str]] = {
    PowerVerb.START: "Start",
    PowerVerb.START_PAUSED: "Start, and stop before the first instruction",
    PowerVerb.START_FRESH: "Start without its saved memory",
    PowerVerb.SHUTDOWN: "Ask it to shut down",
    PowerVerb.REBOOT: "Ask for a reboot",
    PowerVerb.SUSPEND: "Pause",
    PowerVerb.RESUME: "Resume",
    PowerVerb.DISCARD_SAVED: "Discard the saved memory",
    PowerVerb.RESET: "Press the reset button",
    PowerVerb.FORCE_OFF: "Pull the plug",
    PowerVerb.AUTOSTART_ON: "Let it start with its host",
    PowerVerb.AUTOSTART_OFF: "Let it not start with its host",
}
ASKED: Final = {
    AskedBy.AGENT: "Its guest agent was asked.",
    AskedBy.ACPI: "The power button was pressed (ACPI): no guest agent answered.",
}
# Called twice these are two reboots; of the others the second call finds it done, or does no harm.
ONCE: Final = frozenset({PowerVerb.REBOOT, PowerVerb.RESET})
# These have steps of their own beside the call: see `shutdown` and `save`.
_MORE: Final = frozenset({PowerVerb.SHUTDOWN, PowerVerb.SAVE})


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
                asked = CALLS[self.verb](hypervisor, domain)
            except AlreadyInState:
                run.log("It was so already.")
            else:
                if asked is not None:
                    run.log(ASKED[asked])
            show(run)


def _register(verb: PowerVerb) -> None:
    @procedure(verb.kind, verb=RULES[verb].verb)
    def steps(params: dict[str, Any]) -> Sequence[Step]:
        return [Power(verb)]


for _verb in PowerVerb:
    if _verb not in _MORE:
        _register(_verb)
