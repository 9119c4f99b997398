"""A worker dies, or somebody cancels, at every boundary of every step of every kind of operation.

How often in all is said at the end of the run ("boundaries").
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any

import pytest
from celery import current_app

from domains.models import Domain, DomainState
from operations.models import Operation, OperationState
from operations.procedures import Step, kinds, steps_of
from storage.models import Volume
from tests.conftest import Cast
from tests.faults.cases import ELSEWHERE, GROUPS
from tests.faults.cases.base import Case, Ground
from tests.faults.harness import Crew
from tests.lab.host import LabHost
from tests.stage import adopt

# Where one step is journalled as done, the next one is not begun: that is one boundary.
FIRST, *MOMENTS = ("before running", "after running", "before done", "after done")
# Where the worker died while a step without a trace was under way, nobody can tell whether it happened.
UNKNOWABLE = ("after running", "before done")
# So many die at once, and come back at once on the same few cores.
AT_ONCE = 40
# From its worker's death to its right end, at the latest.
PROMISE_S = 90.0


@dataclass
class Trial:
    """One operation that is doomed, and how it must end all the same."""

    case: Case
    thing: Any
    operation: Operation
    end: OperationState
    fates: int


@pytest.fixture
def ground(transactional_db: None, cast: Cast, lab_host: LabHost) -> Iterator[Ground]:
    yield Ground(lab_host, adopt(lab_host), cast.operator)
    lab_host.clear()


def steps(case: Case, operation: Operation) -> Sequence[Step]:
    current_app.loader.import_default_modules()
    return steps_of(case.kind, operation.params)


def doomed(crew: Crew, ground: Ground, case: Case, *fates: str) -> tuple[Any, Operation]:
    thing = case.prepare(ground)
    with crew.doomed(*fates) as doom:
        return thing, doom(case.ask(ground, thing))


def trials(crew: Crew, ground: Ground, case: Case) -> Iterator[Trial]:
    """All boundaries at which its worker may die, on its way forth and on its way back, two to an operation.

    That is as many deaths as it may have: its third attempt has to bring it to its end.
    """
    thing, operation = doomed(crew, ground, case, f"0:{FIRST}")
    plan = steps(case, operation)
    yield Trial(case, thing, operation, OperationState.SUCCEEDED, 1)
    survived = []
    for position, step in enumerate(plan):
        for moment in MOMENTS:
            if step.at_most_once and moment in UNKNOWABLE:
                thing, operation = doomed(crew, ground, case, f"{position}:{moment}")
                yield Trial(case, thing, operation, OperationState.FAILED, 1)
            else:
                survived.append(f"{position}:{moment}")
    for fates in batched(survived, 2):
        yield Trial(case, *doomed(crew, ground, case, *fates), OperationState.SUCCEEDED, len(fates))
    if not case.can_be_cancelled:
        return
    final = next((i for i, step in enumerate(plan) if step.point_of_no_return), len(plan))
    for position in range(min(final, len(plan) - 1)):
        fates = (
            f"{position}:after done as cancelled",
            f"{position}:before undone",
            f"{position}:after undone",
        )
        yield Trial(case, *doomed(crew, ground, case, *fates), OperationState.CANCELLED, len(fates))


def batched(fates: list[str], size: int) -> list[tuple[str, ...]]:
    """So many at a time, in their order; the last may be fewer."""
    return [tuple(fates[start : start + size]) for start in range(0, len(fates), size)]


def judge(crew: Crew, ground: Ground, trial: Trial) -> None:
    """It met its fate, ended right and in time, and the host is as it says."""
    operation = Operation.objects.get(pk=trial.operation.pk)
    left = (crew.fates / str(operation.pk)).read_text()
    told = (
        f"{trial.case}, {left or 'met its fate'}: {operation.state} {operation.error} {operation.left_behind}"
    )
    assert crew.met(operation), told
    assert operation.state == trial.end, told
    assert trial.end == OperationState.FAILED or not operation.left_behind, told
    assert crew.recovery_s(operation) < PROMISE_S, told
    if trial.end == OperationState.SUCCEEDED:
        trial.case.done(ground, trial.thing)
    elif trial.end == OperationState.CANCELLED:
        trial.case.undone(ground, trial.thing)


def nothing_is_left_over(ground: Ground) -> None:
    """No file without a volume, no volume without a file, no half machine."""
    ground.lab.virsh("pool-refresh", "default")
    files = {path.name for path in ground.lab.pool_path.iterdir()}
    rows = Volume.objects.present().filter(pool=ground.pool)
    assert files == {volume.name for volume in rows}, "no orphan volume"
    assert all(volume.ready for volume in rows), "no half volume"
    there = ground.machines()
    known = Domain.objects.present()
    assert there == {str(domain.uuid) for domain in known}, "no orphan and no half machine"
    assert not known.filter(state=DomainState.CREATING).exists()


def begin_anew(ground: Ground) -> None:
    """Without what earlier waves made: their guests would run on, and each look at the pool would read it all."""
    ground.lab.clear()
    Domain.objects.filter(host=ground.host).delete()
    Volume.objects.filter(pool=ground.pool).delete()


def test_every_kind_is_tried(ground: Ground) -> None:
    current_app.loader.import_default_modules()
    tried = {case.kind for cases in GROUPS.values() for case in cases} | ELSEWHERE.keys()
    assert {kind for kind in kinds() if not kind.startswith("toy")} - tried == set()


@pytest.mark.timeout(900)
@pytest.mark.parametrize("group", GROUPS)
def test_at_every_boundary(
    crew: Crew, ground: Ground, group: str, record_property: Callable[[str, object], None]
) -> None:
    rest = chain.from_iterable(trials(crew, ground, case) for case in GROUPS[group])
    count = 0
    while wave := list(islice(rest, AT_ONCE)):
        crew.wait(*(trial.operation for trial in wave), within_s=PROMISE_S + AT_ONCE)
        for trial in wave:
            judge(crew, ground, trial)
        count += sum(trial.fates for trial in wave)
        nothing_is_left_over(ground)
        begin_anew(ground)
    record_property("boundaries", count)


@pytest.mark.timeout(900)
@pytest.mark.parametrize("group", GROUPS)
def test_libvirtd_dies_meanwhile(crew: Crew, ground: Ground, group: str) -> None:
    """Thrice; its machines run on, and what was under way goes on once it is back."""
    things = [(case, case.prepare(ground)) for case in GROUPS[group]]
    asked = [(case, thing, case.ask(ground, thing)) for case, thing in things]
    for _ in range(3):
        time.sleep(random.uniform(0.1, 0.8))
        ground.lab.kill()
        ground.lab.revive()
    crew.wait(*(operation for _, _, operation in asked), within_s=2 * PROMISE_S)
    ground.look()
    for case, thing, before in asked:
        operation = Operation.objects.get(pk=before.pk)
        told = f"{case}: {operation.state} {operation.error} {operation.left_behind}"
        unknowable = any(step.at_most_once for step in steps(case, operation))
        assert operation.state == OperationState.SUCCEEDED or (unknowable and "Nobody can tell" in told), told
        if operation.state == OperationState.SUCCEEDED:
            case.done(ground, thing)
    nothing_is_left_over(ground)
