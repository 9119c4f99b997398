"""Who uses a volume: rooms above this one register how to find out, so that nothing in use is deleted."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from django.db import models
from django.db.models import Q, QuerySet

from hosts.models import Host
from storage.models import Pool, Volume, VolumeKind


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
    """By path, everything that uses it, on `host` or on another that shares its pool; paths that nothing uses miss."""
    asked: list[tuple[Host, Collection[str]]] = [(host, paths)]
    for pool in Pool.objects.filter(shared_with__host=host, gone_at=None).select_related("host").distinct():
        asked.append((pool.host, [path for path in paths if path.startswith(f"{pool.path.rstrip('/')}/")]))
    found: dict[str, list[Use]] = {}
    for there, among in asked:
        for check in _checks if among else ():
            for path, uses in check(there, among).items():
                found.setdefault(path, []).extend(uses)
    return found


def sharing(pool: Pool) -> QuerySet[Host]:
    """The other hosts that have this pool's storage, too."""
    pools = pool.shared_with.filter(gone_at=None, host__gone_at=None)
    return Host.objects.filter(pk__in=pools.values("host"))


def based_on(volume: Volume, *, spared: Collection[str] = ()) -> Volume | None:
    """A volume whose data partly lies in `volume`, if there is one but those at the paths `spared`.

    It may lie on another host that shares the pool.
    """
    if not volume.path:
        return None
    here, there = Q(pool__host_id=volume.pool.host_id), Q(pool__host__in=sharing(volume.pool))
    layers = Volume.objects.filter(here | there, gone_at=None)
    return layers.filter(backing_path=volume.path).exclude(Q(pk=volume.pk) | Q(path__in=spared)).first()


def kept_because(volume: Volume, *, spared: Collection[str] = ()) -> str:
    """Why it must stay even where no machine has it any more; blank where it may go, as those at `spared` do, too."""
    layer = based_on(volume, spared=spared)
    if layer is not None:
        return f"{layer} is based on it."
    return "It is an ISO image." if volume.kind == VolumeKind.ISO else ""
