"""What becomes of each machine when its host is emptied, and what a draining has done."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from django.db.models import Q

from domains.models import HELD, Domain
from hosts.models import Host
from operations.models import ACTIVE, Operation, OperationState


class Fate(StrEnum):
    """How one machine leaves; LEAVE lets it run on where it is."""

    MOVE = "move"
    STOP = "stop"
    LEAVE = "leave"


LABELS = {Fate.MOVE: "Move", Fate.STOP: "Shut down", Fate.LEAVE: "Leave it here"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What the drainings of a host did that was not taken back yet: the machines' UUIDs as text."""

    moved: list[str]
    stopped: list[str]

    def __bool__(self) -> bool:
        return bool(self.moved or self.stopped)


def running_on(host: Host) -> list[Domain]:
    """The machines that would have to leave, by name."""
    return list(Domain.objects.present().filter(HELD, host=host).order_by("name"))


def last_done(host: Host) -> Done:
    """What can be brought back: what the drainings since the last bringing back did, one after another.

    A bringing back that failed or was cancelled counts for those machines that it did bring back.
    """
    about = Operation.objects.about("host", host.uuid).filter(kind__in=("host.drain", "host.bring-back"))
    done = Q(kind="host.bring-back", state__in=(*ACTIVE, OperationState.SUCCEEDED))
    back = about.filter(done).order_by("-created_at").values_list("created_at", flat=True).first()
    since = about if back is None else about.filter(created_at__gt=back)
    parts = Operation.objects.filter(parent__in=since.order_by(), state=OperationState.SUCCEEDED)
    away: dict[str, str] = {}
    for whole, kind, key in parts.order_by("finished_at").values_list("parent__kind", "kind", "target_id"):
        if whole == "host.drain":
            away[str(key)] = kind
        else:
            away.pop(str(key), None)
    moved = [key for key, kind in away.items() if kind == "domain.migrate"]
    return Done(moved=moved, stopped=[key for key in away if key not in moved])
