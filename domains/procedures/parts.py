"""Work on many machines: one operation for each, a few at once, and no worker kept while they run."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable
from typing import Final
from uuid import UUID

from django.db import transaction

from core.errors import Conflict, PanelError, TargetBusy
from domains.models import Domain
from operations import actions
from operations.models import Operation, OperationState
from operations.procedures import Step
from operations.run import Later, Run

# More migrations at once share one line and all take longer; each that ends earlier frees its memory earlier.
_AT_ONCE: Final = 2
LOOK_EVERY_S: Final = 10.0
_STOP_EVERY_S: Final = 2.0
# Where refusals are kept in the operation's params: the machine's UUID and why.
REFUSED: Final = "refused"


class Parts(Step):
    """One part for each machine that `wanted` names; a part that fails does not stop the others."""

    weight = 20

    @abstractmethod
    def wanted(self, run: Run) -> Iterable[Domain]:
        """The machines that something is to be done with, now; those done with may be among them."""

    @abstractmethod
    def ask(self, run: Run, domain: Domain) -> Operation:
        """Begin with one, inside a transaction; its parent is `run.operation`. Raises PanelError."""

    def do(self, run: Run) -> None:
        """Begin with a few more, and raise Later until none is left."""
        parts = list(run.operation.children.all())
        refused: dict[str, str] = run.params.get(REFUSED, {})
        settled = {part.target_id for part in parts} | {UUID(key) for key in refused}
        rest = [domain for domain in self.wanted(run) if domain.uuid not in settled]
        before = active = sum(part.active for part in parts)
        for domain in list(rest):
            if active >= _AT_ONCE:
                break
            try:
                with transaction.atomic():
                    self.ask(run, domain)
            except TargetBusy:
                continue
            except PanelError as error:
                run.log(f"{domain.name}: {error.message} {error.fix}".strip())
                run.keep(**{REFUSED: run.params.get(REFUSED, {}) | {str(domain.uuid): error.message}})
            else:
                active += 1
            rest.remove(domain)
        if not rest and not active:
            return
        ended = len(settled) - before
        whole = ended + active + len(rest)
        words = f"{ended} of {whole} done"
        run.progress(ended / whole, words)
        raise Later(after_s=LOOK_EVERY_S, message=words)

    def undo(self, run: Run) -> None:
        """End those under way. Raises Conflict with what was done by then, and stays so."""
        parts = list(run.operation.children.all())
        active = [part for part in parts if part.active]
        if active:
            for part in active:
                actions.stop_part(part)
            raise Later(after_s=_STOP_EVERY_S, message="Ending what is under way")
        done = [part.title for part in parts if part.state == OperationState.SUCCEEDED]
        if done:
            raise Conflict(f"Done, and not taken back: {', '.join(done)}.")


class Report(Step):
    """What failed is told at the end; what went well stays."""

    title = "Look at what is left"
    point_of_no_return = True

    def do(self, run: Run) -> None:
        """Raise Conflict where a part did not succeed."""
        parts = run.operation.children.exclude(state=OperationState.SUCCEEDED)
        failed = {part.target_name: part.error or part.get_state_display() for part in parts}
        names = Domain.objects.in_bulk(list(run.params.get(REFUSED, {})), field_name="uuid")
        for key, why in run.params.get(REFUSED, {}).items():
            known = names.get(UUID(key))
            failed[known.name if known else key] = why
        if failed:
            told = "; ".join(f"{name}: {why}" for name, why in failed.items())
            raise Conflict(f"Not all of them: {told}"[:2000], fix="Mend what is in the way, and do it again.")
