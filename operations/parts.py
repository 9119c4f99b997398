"""What became of the parts of an operation on many things."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypedDict

from django.db.models import Case, Count, Q, Value, When

from operations.models import ACTIVE, Operation, OperationState

# Where refusals are kept in the operation's params.
REFUSED = "refused"
MOST_SHOWN = 100


class Refusal(TypedDict):
    """A thing that no part could begin with, and why."""

    name: str
    why: str


# By the thing's UUID as text.
Refused = dict[str, Refusal]


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """The parts for people: those that need a look first, no more than MOST_SHOWN in all, and how many there are."""

    shown: list[Operation]
    refused: list[Refusal]
    whole: int
    done: int

    @property
    def hidden(self) -> int:
        """How many are not shown."""
        return self.whole - len(self.shown) - len(self.refused)


def refused(operation: Operation) -> Refused:
    """What could not begin."""
    found: Refused = operation.params.get(REFUSED, {})
    return found


def story(operation: Operation) -> Story | None:
    """None for an operation without parts. Three queries."""
    counts = operation.children.aggregate(
        whole=Count("pk"), done=Count("pk", filter=Q(state=OperationState.SUCCEEDED))
    )
    turned_away = list(refused(operation).values())
    if not counts["whole"] and not turned_away:
        return None
    first = Case(
        When(state=OperationState.SUCCEEDED, then=Value(2)), When(state__in=ACTIVE, then=Value(1)), default=0
    )
    rows = operation.children.select_related("actor").order_by(first, "created_at")
    shown = turned_away[:MOST_SHOWN]
    return Story(
        shown=list(rows[: MOST_SHOWN - len(shown)]),
        refused=shown,
        whole=counts["whole"] + len(turned_away),
        done=counts["done"],
    )


def failures(operation: Operation) -> list[str]:
    """Each part that did not succeed, and what could not begin, as "name: why"."""
    parts = operation.children.exclude(state__in=(*ACTIVE, OperationState.SUCCEEDED)).order_by("created_at")
    failed = [(part.target_name, part.error or part.get_state_display()) for part in parts]
    failed += [(one["name"], one["why"]) for one in refused(operation).values()]
    return [f"{name}: {why.rstrip('.')}" for name, why in failed]
