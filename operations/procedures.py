"""What a procedure is: a list of steps, each of which can look, act and take back."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from accounts.permissions import Verb

if TYPE_CHECKING:
    from operations.run import Run


class Step(ABC):
    """One effect on the world.

    All three methods may be called again after a crash at any point: `probe` before `do`, `undo` even where `do`
    never began. They raise `HypervisorError` or `PanelError`; anything else is a defect and is shown as one.
    """

    title: str
    # How much of the operation's progress this step is, beside the others.
    weight: int = 1
    # From such a step on there is no way back: cancel is refused and a failure is not undone.
    point_of_no_return: bool = False
    # Nothing can tell afterwards whether it happened, and twice would be wrong (a reset button): where a worker died
    # at it, or the line broke, the operation ends with these words instead of doing it again. A single effect only.
    at_most_once: bool = False
    # It does nothing: where it fails, no deed is left undone.
    only_tells: bool = False

    def probe(self, run: Run) -> bool:
        """Whether the effect is there already."""
        return False

    @abstractmethod
    def do(self, run: Run) -> None:
        """Bring the effect about."""

    def undo(self, run: Run) -> None:  # noqa: B027 (most steps that only look have nothing to take back)
        """Take the effect back, as far as it is there."""


Procedure = Callable[[dict[str, Any]], Sequence[Step]]
Settled = Callable[["Run", bool], None]

_procedures: dict[str, Procedure] = {}
_verbs: dict[str, Verb] = {}
_settled: dict[str, Settled] = {}


def procedure(kind: str, *, verb: Verb) -> Callable[[Procedure], Procedure]:
    """Register the function that turns an operation's params into its steps; the same params give the same steps.

    `verb` is what its person must be allowed to do, to the operation's target, when a worker begins.
    """

    def register(function: Procedure) -> Procedure:
        if kind in _procedures:
            raise ValueError(f"procedure {kind!r} is registered twice")
        _procedures[kind] = function
        _verbs[kind] = verb
        return function

    return register


def settled(kind: str) -> Callable[[Settled], Settled]:
    """Register what happens to the inventory, in the transaction that ends the operation; told whether it succeeded."""

    def register(function: Settled) -> Settled:
        _settled[kind] = function
        return function

    return register


def steps_of(kind: str, params: dict[str, Any]) -> Sequence[Step]:
    """The steps. Raises KeyError for a kind that no room registered."""
    return _procedures[kind](params)


def verb_of(kind: str) -> Verb:
    """The right that this kind of operation needs. Raises KeyError for a kind that no room registered."""
    return _verbs[kind]


def on_settled(kind: str) -> Settled | None:
    """What `settled` registered, or None."""
    return _settled.get(kind)


def kinds() -> list[str]:
    """Every registered kind, for the tests that walk through them all."""
    return sorted(_procedures)
