"""One power verb on many machines."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar, Final
from uuid import UUID

from accounts.permissions import Verb
from accounts.scoping import require
from core.errors import Conflict, Forbidden, Unavailable
from domains.beginning import begin
from domains.models import Domain
from domains.power import RULES, PowerVerb
from domains.procedures.parts import Parts, Report
from operations.models import Operation
from operations.procedures import Step, procedure
from operations.run import Run

# Half of a worker's children, so that other people's clicks find one.
_AT_WORK: Final = 4
# Guests that take their time to shut down keep no worker.
_WAITING: Final = 16


class Each(Parts):
    """The verb, on each machine."""

    waits_for_busy: ClassVar[bool] = False

    def __init__(self, verb: PowerVerb) -> None:
        self.verb = verb
        self.title = f"{RULES[verb].label}: each of them"
        self.at_once = _WAITING if verb is PowerVerb.SHUTDOWN else _AT_WORK

    def wanted(self, run: Run) -> Iterable[Domain]:
        """Those that were chosen; also one that is gone by now, which is told."""
        keys = [UUID(key) for key in run.params["machines"]]
        return Domain.objects.filter(uuid__in=keys).select_related("host", "team").order_by("name", "pk")

    def ask(self, run: Run, domain: Domain) -> Operation:
        """Begin, if the person may do it and its host answers: one that doesn't would keep the others waiting."""
        actor = run.operation.actor
        if actor is None:
            raise Forbidden("The person who asked for this is gone.")
        require(actor, RULES[self.verb].verb, domain)
        if domain.gone_at is not None or domain.host.gone_at is not None:
            raise Conflict("It is not on its host any more.")
        if not domain.host.up:
            raise Unavailable(f"Its host, {domain.host.name}, does not answer.")
        return begin(self.verb.kind, domain=domain, actor=actor, parent=run.operation)


@procedure("domain.bulk", verb=Verb.DOMAIN_POWER)
def bulk(params: dict[str, Any]) -> Sequence[Step]:
    """What was done stays, whatever becomes of the others."""
    return [Each(PowerVerb(params["verb"])), Report()]
