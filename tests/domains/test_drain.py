"""Emptying one of two real hosts, and bringing its machines back."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from domains.actions.drain import bring_back, drain
from domains.actions.migrate import migrate
from domains.draining import Fate
from domains.models import Domain
from domains.moving import MoveOptions
from hosts.models import Host
from operations import actions as operations
from operations.models import ACTIVE, Operation, OperationState
from tests.conftest import Cast
from tests.domains import travel
from tests.domains.travel import Road
from tests.lab.guest import tiny_guest
from tests.lab.lab import Lab
from tests.stage import carry_out


@pytest.fixture
def road(transactional_db: None, cast: Cast, lab: Lab) -> Iterator[Road]:
    yield travel.build(lab, cast.operator)
    travel.clear(lab)


def work_off(operation: Operation, *, within_s: float = 120) -> Operation:
    """Run it and its parts as workers would, one after another, until it ends."""
    until = time.monotonic() + within_s
    while time.monotonic() < until:
        row = Operation.objects.get(pk=operation.pk)
        if not row.active:
            return row
        for part in row.children.filter(state__in=ACTIVE):
            Operation.objects.filter(pk=part.pk).update(not_before=None)
            carry_out(part.pk)
        Operation.objects.filter(pk=operation.pk).update(not_before=None)
        carry_out(operation.pk)
        time.sleep(0.2)
    raise AssertionError(f"not ended: {Operation.objects.get(pk=operation.pk).message}")


def empty(road: Road, **fates: Fate) -> Operation:
    chosen = {Domain.objects.get(name=name).uuid: fate for name, fate in fates.items()}
    return drain(host=road.here, fates=chosen, otherwise=Fate.MOVE, actor=road.actor)


def where(name: str) -> str:
    return str(Domain.objects.select_related("host").get(name=name).host.name)


def test_moves_each_machine_and_brings_it_back(road: Road) -> None:
    for name in ("one", "two", "three"):
        road.machine(name)

    done = work_off(empty(road))

    assert done.state == OperationState.SUCCEEDED, (done.error, done.left_behind)
    assert {where(name) for name in ("one", "two", "three")} == {"kvm2"}
    assert Host.objects.get(pk=road.here.pk).maintenance
    assert done.children.count() == 3

    back = work_off(bring_back(host=road.here, actor=road.actor))

    assert back.state == OperationState.SUCCEEDED, (back.error, back.left_behind)
    assert {where(name) for name in ("one", "two", "three")} == {"kvm1"}
    assert not Host.objects.get(pk=road.here.pk).maintenance


def test_shuts_down_what_shall_not_move_and_leaves_what_shall_stay(road: Road) -> None:
    road.machine("polite", guest=tiny_guest())
    road.machine("stays")

    done = work_off(empty(road, polite=Fate.STOP, stays=Fate.LEAVE))

    assert done.state == OperationState.SUCCEEDED, done.error
    assert (Domain.objects.get(name="polite").state, where("polite")) == ("off", "kvm1")
    assert (Domain.objects.get(name="stays").state, where("stays")) == ("running", "kvm1")

    work_off(bring_back(host=road.here, actor=road.actor))

    assert Domain.objects.get(name="polite").state == "running"


def test_goes_on_over_one_that_cannot_leave(road: Road) -> None:
    road.machine("can")
    cannot = road.machine("cannot")
    cannot.nics.update(source="nowhere")

    done = work_off(empty(road))

    assert done.state == OperationState.FAILED
    assert done.error == "1 of 2 not done: cannot: No other host can take cannot now."
    assert (where("can"), where("cannot")) == ("kvm2", "kvm1")
    assert Host.objects.get(pk=road.here.pk).maintenance, "what was done stays"


def test_holds_no_worker_while_it_waits(road: Road) -> None:
    road.machine("one")

    operation = carry_out(empty(road).pk)

    assert (operation.state, operation.message) == (OperationState.QUEUED, "0 of 1 done")
    part = operation.children.get()
    carry_out(part.pk)
    operation.refresh_from_db()
    assert operation.not_before is None, "the end of a part wakes the whole"


def test_stops_when_cancelled(road: Road) -> None:
    for name in ("one", "two", "three"):
        road.machine(name)
    operation = carry_out(empty(road).pk)
    first, second = operation.children.order_by("created_at")
    carry_out(first.pk)

    operations.cancel(operation=Operation.objects.get(pk=operation.pk), actor=road.actor)
    carry_out(operation.pk)
    done = work_off(operation)

    assert done.state == OperationState.CANCELLED
    assert done.left_behind == "Empty the host: Done, and not taken back: Move one to kvm2."
    assert [where(name) for name in ("one", "two", "three")] == ["kvm2", "kvm1", "kvm1"]
    assert Operation.objects.get(pk=second.pk).state == OperationState.CANCELLED
    assert not Host.objects.get(pk=road.here.pk).maintenance


def test_nobody_sets_out_for_a_host_in_maintenance(road: Road) -> None:
    domain = road.machine("late")
    asked = migrate(domain=domain, target=road.there, options=MoveOptions(), actor=road.actor)
    Host.objects.filter(pk=road.there.pk).update(maintenance=True)

    done = carry_out(asked.pk)

    assert (done.state, done.error) == (OperationState.FAILED, "kvm2 is in maintenance.")
    assert where("late") == "kvm1"
