"""Operations that wait for others without a worker, and long ones that leave workers to the short."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import uuid4

import pytest
from pytest_django import Settings

from accounts.permissions import Verb
from hosts.models import Host
from operations import actions, journal
from operations.models import Operation, OperationState, StepState
from operations.procedures import Step, procedure
from operations.run import Later, Run
from tests.conftest import Cast
from tests.operations.conftest import carry_on, carry_out, let_time_pass
from tests.operations.toys import Died, Toy

# More than an operation that fails is tried.
LOOKS = 12


class Patience(Step):
    """Done when its operation's parts have ended; without parts after LOOKS looks."""

    title = "Wait"

    def do(self, run: Run) -> None:
        """Count the looks."""
        looks = run.params.get("looks", 0) + 1
        run.keep(looks=looks)
        parts = run.operation.children.all()
        active = sum(part.active for part in parts)
        if active or (not parts and looks < LOOKS):
            raise Later(after_s=60, message=f"Looked {looks} times", parts=active)

    def undo(self, run: Run) -> None:
        """End the parts first."""
        active = [part for part in run.operation.children.all() if part.active]
        for part in active:
            actions.stop_part(part)
        if active:
            raise Later(after_s=60, message="Ending the parts")


@procedure("toy.wait", verb=Verb.HOST_MANAGE)
def wait(params: dict[str, Any]) -> Sequence[Step]:
    """One step that waits."""
    return [Patience()]


class Relapse(Step):
    """Kills its worker each time; before it is done again it waits for what was left."""

    title = "Relapse"

    def do(self, run: Run) -> None:
        """Wait each second time."""
        if run.params.get("waited", True):
            run.keep(waited=False)
            raise Died
        run.keep(waited=True)
        raise Later(after_s=60, message="Waiting for what was left")


@procedure("toy.relapse", verb=Verb.HOST_MANAGE)
def relapse(params: dict[str, Any]) -> Sequence[Step]:
    """One step that never ends."""
    return [Relapse()]


def begin(host: Host, *, parent: Operation | None = None, long: bool = False) -> Operation:
    return actions.submit(
        "toy.wait", title="Wait", target=host, actor=None, params={}, parent=parent, long=long
    )


@pytest.fixture
def other_host(host: Host) -> Host:
    return Host.objects.create(name=f"other-{uuid4().hex[:8]}")


@pytest.mark.django_db(transaction=True)
class TestLater:
    def test_gives_the_worker_back_and_is_no_failure(self, host: Host) -> None:
        operation = carry_out(begin(host))

        assert (operation.state, operation.message) == (OperationState.QUEUED, "Looked 1 times")
        assert (operation.attempts, operation.lease_until) == (0, None)
        assert carry_out(operation).message == "Looked 1 times", "it is not due"
        assert carry_on(operation).state == OperationState.SUCCEEDED
        assert operation.params["looks"] == LOOKS

    def test_forgives_no_death_before_it(self, host: Host) -> None:
        operation = carry_on(
            actions.submit("toy.relapse", title="Relapse", target=host, actor=None, params={})
        )

        assert (operation.state, operation.parked) == (OperationState.FAILED, True)

    def test_can_be_cancelled_meanwhile(self, host: Host, cast: Cast) -> None:
        operation = carry_out(begin(host))

        actions.cancel(operation=operation, actor=cast.operator)

        assert carry_out(operation).state == OperationState.CANCELLED


@pytest.mark.django_db(transaction=True)
class TestParts:
    def test_the_end_of_a_part_wakes_the_whole(self, toy: Toy, other_host: Host) -> None:
        whole = begin(other_host)
        part = toy.ask()
        Operation.objects.filter(pk=part.pk).update(parent=whole)
        carry_out(whole)

        carry_out(part)

        assert carry_out(whole).state == OperationState.SUCCEEDED

    def test_one_that_ends_while_the_whole_goes_to_wait_is_not_missed(
        self, toy: Toy, other_host: Host, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        whole = begin(other_host)
        part = toy.ask()
        Operation.objects.filter(pk=part.pk).update(parent=whole)
        put_back = journal.put_back

        def too_late(operation: Operation, **how: Any) -> None:
            monkeypatch.undo()
            carry_out(part)
            put_back(operation, **how)

        monkeypatch.setattr(journal, "put_back", too_late)
        carry_out(whole)

        assert part.state == OperationState.SUCCEEDED
        assert carry_out(whole).state == OperationState.SUCCEEDED

    def test_end_before_the_whole_is_taken_back(self, host: Host, other_host: Host, cast: Cast) -> None:
        whole = begin(other_host)
        part = begin(host, parent=whole)
        carry_out(part)
        carry_out(whole)
        actions.cancel(operation=whole, actor=cast.operator)

        waiting = carry_out(whole)

        assert (waiting.state, waiting.undoing) == (OperationState.QUEUED, True)
        assert carry_out(part).state == OperationState.CANCELLED
        assert carry_out(whole).state == OperationState.CANCELLED
        assert whole.steps.get().state == StepState.UNDONE


@pytest.mark.django_db(transaction=True)
class TestLong:
    def test_waits_for_room_while_short_ones_go_on(
        self, host: Host, other_host: Host, toy: Toy, settings: Settings
    ) -> None:
        settings.LONG_OPERATIONS = 1
        third = Host.objects.create(name="third")
        first, second = begin(other_host, long=True), begin(third, long=True)
        assert journal.claim(first.pk) is not None

        assert journal.claim(second.pk) is None
        second.refresh_from_db()
        assert second.message == journal.NO_ROOM
        assert carry_out(toy.ask()).state == OperationState.SUCCEEDED

        let_time_pass(first)
        assert journal.claim(second.pk) is not None, "what a dead worker held is no longer counted"

    @pytest.mark.parametrize("ending", ["cancel_requested", "undoing", "committed"])
    def test_does_not_wait_where_it_only_has_to_end(
        self, host: Host, other_host: Host, settings: Settings, ending: str
    ) -> None:
        settings.LONG_OPERATIONS = 1
        first, second = begin(other_host, long=True), begin(host, long=True)
        assert journal.claim(first.pk) is not None
        Operation.objects.filter(pk=second.pk).update(**{ending: True})

        assert journal.waiting_for_room() == []
        assert journal.claim(second.pk) is not None

    def test_is_called_when_another_has_ended(
        self, host: Host, other_host: Host, settings: Settings, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        settings.LONG_OPERATIONS = 1
        called: list[Any] = []
        monkeypatch.setattr("operations.queue.enqueue", called.append)
        first, second = begin(host, long=True), begin(other_host, long=True)
        called.clear()

        carry_out(first)

        assert called == [second.pk]
