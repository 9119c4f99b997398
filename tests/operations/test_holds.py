"""What an operation needs as it is, nothing else changes meanwhile; in whichever order the two are asked for."""

from __future__ import annotations

import pytest

from core.errors import TargetBusy
from hosts.models import Host
from operations import actions
from operations.models import Operation, OperationState


@pytest.fixture
def things(db: None) -> list[Host]:
    return [Host.objects.create(name=f"thing{number}") for number in range(3)]


def begin(target: Host, *holds: Host, takes: tuple[Host, ...] = ()) -> Operation:
    return actions.submit(
        "toy", title=f"Work on {target}", target=target, actor=None, params={}, holds=holds, takes=takes
    )


def test_nothing_begins_on_what_is_held(things: list[Host]) -> None:
    copy = begin(things[0], things[1])
    with pytest.raises(TargetBusy, match="Work on thing0") as busy:
        begin(things[1])
    assert busy.value.operation_id == str(copy.pk)
    assert begin(things[2]).active


def test_what_is_worked_on_cannot_be_held(things: list[Host]) -> None:
    work = begin(things[1])
    with pytest.raises(TargetBusy, match="Work on thing1") as busy:
        begin(things[0], things[1])
    assert busy.value.operation_id == str(work.pk)
    assert not Operation.objects.filter(target_id=things[0].uuid).exists()


def test_several_may_hold_the_same(things: list[Host]) -> None:
    begin(things[0], things[2])
    begin(things[1], things[2])
    with pytest.raises(TargetBusy):
        begin(things[2])


def test_what_one_takes_no_other_has(things: list[Host]) -> None:
    making = begin(things[0], takes=(things[2],))
    with pytest.raises(TargetBusy, match="Work on thing0") as busy:
        begin(things[2])
    assert busy.value.operation_id == str(making.pk)
    with pytest.raises(TargetBusy, match="Work on thing0"):
        begin(things[1], things[2])
    with pytest.raises(TargetBusy, match="Work on thing0"):
        begin(things[1], takes=(things[2],))


def test_what_others_need_is_not_taken(things: list[Host]) -> None:
    begin(things[0], things[2])
    with pytest.raises(TargetBusy, match="Work on thing0"):
        begin(things[1], takes=(things[2],))


def test_a_hold_ends_with_its_operation(things: list[Host]) -> None:
    copy = begin(things[0], things[1])
    Operation.objects.filter(pk=copy.pk).update(state=OperationState.FAILED)
    assert begin(things[1]).active
