"""Work on many machines: one operation for each, a few at once, and no worker kept while they run."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import ClassVar, Final
from uuid import UUID

from django.db import transaction

from core.errors import Conflict, PanelError, TargetBusy
from domains.models import Domain
from operations import actions
from operations.models import ACTIVE, Operation, OperationState
from operations.parts import REFUSED, Refused, failures, refused
from operations.procedures import Step
from operations.run import Later, Run

# A part that ends wakes its whole; this is for what nobody tells.
LOOK_EVERY_S: Final = 10.0
_STOP_EVERY_S: Final = 2.0
_MOST_TOLD: Final = 10


class Parts(Step):
    """One part for each machine that `wanted` names; a part that fails does not stop the others."""

    weight = 20
    # More migrations at once share one line and all take longer; each that ends earlier frees its memory earlier.
    at_once: int = 2
    # Whether a machine that something else is at work on waits for its turn, or is told as refused.
    waits_for_busy: ClassVar[bool] = True

    @abstractmethod
    def wanted(self, run: Run) -> Iterable[Domain]:
        """The machines that something is to be done with, now; those done with may be among them."""

    @abstractmethod
    def ask(self, run: Run, domain: Domain) -> Operation:
        """Begin with one, inside a transaction; its parent is `run.operation`. Raises PanelError."""

    def do(self, run: Run) -> None:
        """Begin with a few more, and raise Later until none is left."""
        begun = dict(run.operation.children.values_list("target_id", "state"))
        turned_away = refused(run.operation)
        settled = begun.keys() | {UUID(key) for key in turned_away}
        active = sum(state in ACTIVE for state in begun.values())
        ended = len(settled) - active
        rest = [domain for domain in self.wanted(run) if domain.uuid not in settled]
        added = self._begin(run, rest, self.at_once - active)
        if added.refused:
            run.keep(**{REFUSED: turned_away | added.refused})
        active += added.begun
        ended += len(added.refused)
        waiting = len(rest) - added.begun - len(added.refused)
        if not waiting and not active:
            return
        words = f"{ended} of {ended + active + waiting} done"
        run.progress(ended / (ended + active + waiting), words)
        raise Later(after_s=LOOK_EVERY_S, message=words, parts=active)

    def _begin(self, run: Run, rest: list[Domain], room: int) -> _Added:
        added = _Added()
        for domain in rest:
            if added.begun >= room:
                break
            try:
                with transaction.atomic():
                    self.ask(run, domain)
            except PanelError as error:
                if isinstance(error, TargetBusy) and self.waits_for_busy:
                    continue
                run.log(f"{domain.name}: {error.message} {error.fix}".strip())
                added.refused[str(domain.uuid)] = {"name": domain.name, "why": error.message}
            else:
                added.begun += 1
        return added

    def undo(self, run: Run) -> None:
        """End those under way. Raises Conflict with what was done by then, and stays so."""
        parts = list(run.operation.children.all())
        active = [part for part in parts if part.active]
        if active:
            for part in active:
                actions.stop_part(part)
            raise Later(after_s=_STOP_EVERY_S, message="Ending what is under way", parts=len(active))
        done = [part.title for part in parts if part.state == OperationState.SUCCEEDED]
        if done:
            raise Conflict(f"Done, and not taken back: {_listed(done, ', ')}.")


class Report(Step):
    """What failed is told at the end; what went well stays."""

    title = "Look at what is left"
    point_of_no_return = True
    only_tells = True

    def do(self, run: Run) -> None:
        """Raise Conflict where a part did not succeed, or could not begin."""
        failed = failures(run.operation)
        if not failed:
            return
        whole = run.operation.children.count() + len(refused(run.operation))
        raise Conflict(
            f"{len(failed)} of {whole} not done: {_listed(failed, '; ')}.",
            fix="Mend what is in the way, and do it again.",
        )


@dataclass(slots=True)
class _Added:
    """What one look began with, and what it could not begin with."""

    begun: int = 0
    refused: Refused = field(default_factory=dict)


def _listed(words: list[str], between: str) -> str:
    more = f"{between}and {len(words) - _MOST_TOLD} more" if len(words) > _MOST_TOLD else ""
    return between.join(words[:_MOST_TOLD]) + more
