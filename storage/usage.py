"""Who uses a volume: rooms above this one register how to find out, so that nothing in use is deleted."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from django.db import models
from django.db.models import Q

from hosts.models import Host
from storage.models import Volume, VolumeKind


@dataclass(frozen=True, slots=True)
class Use:
    """One user of a volume, as people know it: its name, and the address of its page.

    `base` tells one that only reads it: what it writes lies in another file that is based on this one. `thing` is
    the row of what must be left alone for the volume to stay as it is.
    """

    name: str
    url: str
    base: bool = False
    thing: models.Model | None = None


# Of these paths on this host: which are used, and by whom. One call must cost the same whatever the number of paths.
Check = Callable[[Host, Collection[str]], Mapping[str, list[Use]]]

_checks: list[Check] = []


def register_user(check: Check) -> Check:
    """Ask `check`, too, from now on."""
    _checks.append(check)
    return check


def users_of(host: Host, paths: Collection[str]) -> dict[str, list[Use]]:
    """By path, everything that uses it; paths that nothing uses are missing."""
    found: dict[str, list[Use]] = {}
    for check in _checks:
        for path, uses in check(host, paths).items():
            found.setdefault(path, []).extend(uses)
    return found


def based_on(volume: Volume, *, spared: Collection[str] = ()) -> Volume | None:
    """A volume on the same host whose data partly lies in `volume`, if there is one but those at the paths `spared`."""
    if not volume.path:
        return None
    layers = Volume.objects.filter(pool__host_id=volume.pool.host_id, gone_at=None)
    return layers.filter(backing_path=volume.path).exclude(Q(pk=volume.pk) | Q(path__in=spared)).first()


def kept_because(volume: Volume, *, spared: Collection[str] = ()) -> str:
    """Why it must stay even where no machine has it any more; blank where it may go, as those at `spared` do, too."""
    layer = based_on(volume, spared=spared)
    if layer is not None:
        return f"{layer} is based on it."
    return "It is an ISO image." if volume.kind == VolumeKind.ISO else ""
