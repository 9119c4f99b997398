"""Shutting a machine down and waiting for it, without a worker in between."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Final

from django.conf import settings
from django.utils import timezone

from core.errors import Conflict
from domains.power import RULES, PowerVerb
from domains.procedures.power import Power
from domains.procedures.steps import domain_on_host, refresh
from hypervisor.errors import AlreadyInState
from operations.procedures import Step, procedure
from operations.run import Later, Run

# Where the watcher sees it go off, it is looked at then.
_LOOK_EVERY_S: Final = 3.0
_PRESS_EVERY_S: Final = 15.0


class WaitUntilOff(Step):
    """A guest that was still booting has not heard the button: it is pressed again, which harms none that goes off."""

    title = "Wait until it is off"
    weight = 4

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
                    f"{domain.name} did not go off within {self.patience_s:g} s.",
                    fix="Shut it down from within, or force it off.",
                )
            if waited_s > _PRESS_EVERY_S * run.params.get("pressed", 1):
                run.keep(pressed=run.params.get("pressed", 1) + 1)
                with suppress(AlreadyInState):
                    hypervisor.shutdown_domain(uuid)
        run.progress(waited_s / self.patience_s)
        raise Later(
            after_s=min(_LOOK_EVERY_S, self.patience_s - waited_s),
            message=f"It was asked to shut down, and has {self.patience_s:g} s to do so",
        )

    def undo(self, run: Run) -> None:
        """Raise Conflict: what was asked of the guest can't be taken back."""
        raise Conflict("It was asked to shut down, and may still do so.")


@procedure(PowerVerb.SHUTDOWN.kind, verb=RULES[PowerVerb.SHUTDOWN].verb)
def shutdown(params: dict[str, Any]) -> Sequence[Step]:
    """Ask, and wait."""
    return [Power(PowerVerb.SHUTDOWN), WaitUntilOff(params.get("patience_s", settings.SHUTDOWN_PATIENCE_S))]
