"""What has to become of files when snapshots are deleted that are kept in files of their own. Pure.

Each file holds what was written after the one below it. To delete the snapshot that keeps a file is to write into it
what the file above holds, which then is needed no more: the lower file may be large, the upper holds a difference.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from core.errors import Conflict
from domains.snapshots.files import upper_first


@dataclass(frozen=True, slots=True)
class Kept:
    """One snapshot's files: `files` is the path by disk, `memory` that of its memory, if any."""

    name: str
    files: Mapping[str, str]
    memory: str = ""


@dataclass(frozen=True, slots=True)
class Merge:
    """Of disk `target`, everything from `top` down to above `base` goes into `base`."""

    target: str
    top: str
    base: str


class GoesOn(Conflict):
    """Something else, in the file `path`, goes on from a moment that was to go."""

    def __init__(self, path: str, name: str = "") -> None:
        what = name or f"Something else, in {path.rpartition('/')[2]},"
        fix = "Delete the snapshots that came after it first, or along with it."
        super().__init__(f"{what} goes on from the same moment.", fix=fix)
        self.path = path


@dataclass(slots=True)
class Plan:
    """`merges` first; then other snapshots find their disks at `moved` (old path, new path); `dropped` can go."""

    merges: list[Merge] = field(default_factory=list)
    moved: dict[str, str] = field(default_factory=dict)
    dropped: list[str] = field(default_factory=list)


def plan(
    gone: Collection[str],
    kept: Sequence[Kept],
    active: Mapping[str, str],
    backing: Mapping[str, str],
) -> Plan:
    """For the snapshots named in `gone` to go.

    `kept` are all of the machine's, `active` is the path that each of its disks has now, `backing` what each file of
    the host is based on. Raises GoesOn where something else is based on what would change.
    """
    made = Plan()
    going = [one for one in kept if one.name in gone]
    made.dropped += [one.memory for one in going if one.memory]
    for target in sorted({target for one in going for target in one.files}):
        files = {one.files[target] for one in going if target in one.files}
        _plan_disk(made, target, files, active.get(target, ""), backing)
    made.dropped = upper_first(made.dropped, backing)
    return made


def _plan_disk(made: Plan, target: str, files: set[str], active: str, backing: Mapping[str, str]) -> None:
    chain = _chain(active, backing)
    inside = [path for path in chain[1:] if path in files]
    removed: list[str] = []
    if inside:
        base = inside[-1]
        top = chain.index(base) - 1
        while top > 0 and chain[top] in files:
            top -= 1
        removed = chain[top : chain.index(base)]
        made.merges.append(Merge(target, chain[top], base))
        made.moved[chain[top]] = base
        _refuse_branches([*removed, base], spared=chain[: chain.index(base)], leaving=files, backing=backing)
    aside = files - set(chain)
    _refuse_branches(aside, spared=[], leaving=files, backing=backing)
    made.dropped += [*removed, *aside]


def _chain(active: str, backing: Mapping[str, str]) -> list[str]:
    chain: list[str] = []
    while active and active not in chain:
        chain.append(active)
        active = backing.get(active, "")
    return chain


def _refuse_branches(
    changing: Collection[str],
    *,
    spared: Collection[str],
    leaving: Collection[str],
    backing: Mapping[str, str],
) -> None:
    for path, below in backing.items():
        if below in changing and path not in spared and path not in leaving:
            raise GoesOn(path)
