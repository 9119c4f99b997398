"""What becomes of each machine when its host is emptied, and what a draining has done."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from domains.models import ON, Domain
from hosts.models import Host
from operations.models import Operation, OperationState


class Fate(StrEnum):
    """How one machine leaves; LEAVE lets it run on where it is."""

    MOVE = "move"
    STOP = "stop"
    LEAVE = "leave"


LABELS = {Fate.MOVE: "Move", Fate.STOP: "Shut down", Fate.LEAVE: "Leave it here"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What the last draining of a host did: the machines' UUIDs as text."""

    moved: list[str]
    stopped: list[str]

    def __bool__(self) -> bool:
        return bool(self.moved or self.stopped)


def running_on(host: Host) -> list[Domain]:
    """The machines that would have to leave, by name."""
    return list(Domain.objects.present().filter(host=host, state__in=ON).order_by("name"))


def last_done(host: Host) -> Done:
    """What can be brought back: the parts that succeeded of the newest draining, unless a bringing back followed it."""
    done = Done(moved=[], stopped=[])
    about = Operation.objects.about("host", host.uuid).filter(kind__in=("host.drain", "host.bring-back"))
    last = about.order_by("-created_at").first()
    if last is None or last.kind != "host.drain":
        return done
    for kind, key in last.children.filter(state=OperationState.SUCCEEDED).values_list("kind", "target_id"):
        (done.moved if kind == "domain.migrate" else done.stopped).append(str(key))
    return done
