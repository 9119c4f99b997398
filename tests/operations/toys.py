"""A procedure whose effects are files, so that a test can count them, whichever process made them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.db import OperationalError

from accounts.models import User
from accounts.permissions import Verb
from core.errors import Conflict
from hosts.models import Host
from hypervisor.errors import NoSpace, OutcomeUnknown, Unreachable
from operations import actions
from operations.models import Operation
from operations.procedures import Step, procedure, settled
from operations.run import Run


class Died(BaseException):
    """The worker is gone in the middle of it; nothing in the engine may catch this."""


ERRORS: dict[str, Exception] = {
    "unreachable": Unreachable("no route to host"),
    "unknown": OutcomeUnknown("the line broke"),
    "full": NoSpace("no space left on device"),
    "conflict": Conflict("Something is in the way.", fix="Move it."),
    "defect": ValueError("a secret detail"),
    "database": OperationalError("server closed the connection"),
}


class Put(Step):
    """Puts the file of its number into the folder.

    `params["trouble"]` maps moments ("do 1", "undo 0", "after 1") to an error's name or "died"; with `params["once"]`
    each happens only the first time.
    """

    def __init__(self, number: int, *, point_of_no_return: bool, blind: bool) -> None:
        self.number = number
        self.at_most_once = blind
        self.title = f"Put {number}"
        self.point_of_no_return = point_of_no_return

    def probe(self, run: Run) -> bool:
        """Whether the file is there; a blind one can't tell."""
        return not self.at_most_once and self._file(run).exists()

    def do(self, run: Run) -> None:
        """Make it; a second time is an error, as it would be for a disk."""
        _trouble(run, f"do {self.number}")
        if run.params.get("slow_s"):
            time.sleep(run.params["slow_s"])
        run.progress(0.5, "Half of it")
        self._file(run).touch(exist_ok=False)
        _note(run, f"do {self.number}")
        _trouble(run, f"after {self.number}")

    def undo(self, run: Run) -> None:
        """Remove it, if it is there."""
        _trouble(run, f"undo {self.number}")
        if self._file(run).exists():
            self._file(run).unlink()
            _note(run, f"undo {self.number}")

    def _file(self, run: Run) -> Path:
        return Path(run.params["folder"]) / f"{self.number}.effect"


def _note(run: Run, what: str) -> None:
    with (Path(run.params["folder"]) / "history").open("a") as history:
        history.write(f"{what}\n")


def _trouble(run: Run, moment: str) -> None:
    name = run.params["trouble"].get(moment)
    marker = Path(run.params["folder"]) / f"{moment}.trouble"
    if name is None or (run.params["once"] and marker.exists()):
        return
    marker.touch()
    raise Died if name == "died" else ERRORS[name]


@procedure("toy.put", verb=Verb.HOST_MANAGE)
def put(params: dict[str, Any]) -> Sequence[Step]:
    """`params["steps"]` files, from `params["no_return"]` on without a way back; `params["blind"]` can't look."""
    last, blind = params["no_return"], params.get("blind")
    return [Put(n, point_of_no_return=n == last, blind=n == blind) for n in range(params["steps"])]


@settled("toy.put")
def write_down(run: Run, succeeded: bool) -> None:  # noqa: FBT001 (the hook's signature)
    """Leave a word on the target."""
    Host.objects.filter(uuid=run.operation.target_id).update(error=f"settled {succeeded}")
    if "break_settle" in run.params:
        raise ERRORS[run.params["break_settle"]]


@dataclass(frozen=True)
class Toy:
    """One folder with one operation's effects."""

    folder: Path
    host: Host

    def ask(  # noqa: PLR0913
        self,
        *,
        actor: User | None = None,
        key: str | None = None,
        steps: int = 3,
        no_return: int | None = None,
        trouble: dict[str, str] | None = None,
        once: bool = False,
        **more: Any,
    ) -> Operation:
        """Submit it."""
        params = {"folder": str(self.folder), "steps": steps, "no_return": no_return, "once": once}
        return actions.submit(
            "toy.put",
            title=f"Put {steps} files",
            target=self.host,
            actor=actor,
            params={**params, "trouble": trouble or {}, **more},
            idempotency_key=key,
        )

    def effects(self) -> list[int]:
        """The numbers of the files that are there."""
        return sorted(int(path.stem) for path in self.folder.glob("*.effect"))

    def history(self) -> list[str]:
        """What was done and undone, in order."""
        path = self.folder / "history"
        return path.read_text().splitlines() if path.exists() else []
