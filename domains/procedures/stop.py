"""Shutting a machine down and waiting for it, without a worker in between."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Final

from django.utils import timezone

from accounts.permissions import Verb
from core.errors import Conflict
from domains.power import PowerVerb
from domains.procedures.power import Power
from domains.procedures.steps import domain_on_host, refresh
from hypervisor.errors import AlreadyInState
from operations.procedures import Step, procedure
from operations.run import Later, Run

_LOOK_EVERY_S: Final = 3.0
_PRESS_EVERY_S: Final = 15.0


class WaitUntilOff(Step):
    """A guest that was still booting has not heard the button: it is pressed again, which harms none that goes off."""

    title = "Wait until it is off"

    def __init__(self, patience_s: float) -> None:
        self.patience_s = patience_s

    def do(self, run: Run) -> None:
        """Raise Later while it runs, and Conflict when that has taken too long."""
        with domain_on_host(run.params) as (hypervisor, uuid):
            domain = refresh(run.params)
            if not domain.held:
                return
            begun = run.operation.started_at or run.operation.created_at
            waited_s = (timezone.now() - begun).total_seconds()
            if waited_s > self.patience_s:
                raise Conflict(
                    f"{domain.name} still runs: its system does not heed the power button.",
                    fix="Shut it down from within, or force it off.",
                )
            if waited_s > _PRESS_EVERY_S * run.params.get("pressed", 1):
                run.keep(pressed=run.params.get("pressed", 1) + 1)
                with suppress(AlreadyInState):
                    hypervisor.shutdown_domain(uuid)
        raise Later(after_s=_LOOK_EVERY_S, message="Waiting until it is off")


@procedure("domain.stop", verb=Verb.DOMAIN_POWER)
def stop(params: dict[str, Any]) -> Sequence[Step]:
    """Press the button, and wait."""
    return [Power(PowerVerb.SHUTDOWN), WaitUntilOff(params["patience_s"])]
