"""What the engine promises about steps: once each, in order, taken back in reverse, resumed where they stood."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import InterfaceError, OperationalError
from django.urls import reverse

from accounts.models import User
from accounts.permissions import Role
from audit.models import Entry
from core.errors import Conflict
from operations import actions, engine, journal
from operations.models import Operation, OperationState, StepState
from tests.conftest import Cast, browser_of, program_of
from tests.hints import Hints
from tests.operations.conftest import carry_on, carry_out, let_time_pass
from tests.operations.toys import Toy


def states(operation: Operation) -> list[str]:
    return [step.state for step in operation.steps.all()]


class TestSuccess:
    def test_does_each_step_once_and_in_order(self, toy: Toy) -> None:
        operation = carry_out(toy.ask())
        assert operation.state == OperationState.SUCCEEDED
        assert toy.history() == ["do 0", "do 1", "do 2"]
        assert states(operation) == [StepState.DONE] * 3
        assert (operation.progress, operation.error, operation.left_behind) == (100, "", "")
        assert operation.started_at is not None
        assert operation.finished_at is not None

    def test_does_nothing_the_second_time(self, toy: Toy) -> None:
        operation = carry_out(toy.ask())
        carry_out(operation)
        assert toy.history() == ["do 0", "do 1", "do 2"]
        assert operation.attempts == 1

    def test_tells_browsers(self, toy: Toy, cast: Cast) -> None:
        with Hints() as hints:
            operation = carry_out(toy.ask(actor=cast.operator))
            hints.end()
            heard = hints.heard()
        assert heard >= {
            ("operation", str(operation.pk)),
            ("operations", "all"),
            ("drawer", str(cast.operator.pk)),
        }

    def test_progress_counts_all_steps(self, toy: Toy) -> None:
        operation = carry_out(toy.ask(steps=4, trouble={"after 1": "died"}))
        assert operation.progress == 38  # one of four, and half of the second


class TestResume:
    @pytest.mark.parametrize("moment", ["do 0", "after 0", "do 1", "after 1", "do 2", "after 2"])
    def test_goes_on_where_a_dead_worker_stood(self, toy: Toy, moment: str) -> None:
        operation = carry_out(toy.ask(trouble={moment: "died"}, once=True))
        assert operation.state == OperationState.RUNNING
        carry_out(operation)
        assert operation.attempts == 1, "nobody takes it while the lease holds"
        let_time_pass(operation)
        carry_out(operation)
        assert operation.state == OperationState.SUCCEEDED
        assert toy.history() == ["do 0", "do 1", "do 2"]

    @pytest.mark.parametrize("trouble", ["died", "unknown"])
    def test_does_nothing_twice_that_nobody_can_look_at(self, toy: Toy, trouble: str) -> None:
        operation = carry_on(toy.ask(trouble={"after 1": trouble}, once=True, blind=1))
        assert operation.state == OperationState.FAILED
        assert "not done again" in operation.error
        assert toy.history() == ["do 0", "do 1", "undo 1", "undo 0"]

    def test_tries_it_again_where_it_surely_did_not_happen(self, toy: Toy) -> None:
        operation = carry_on(toy.ask(trouble={"do 1": "unreachable"}, once=True, blind=1))
        assert operation.state == OperationState.SUCCEEDED
        assert toy.history() == ["do 0", "do 1", "do 2"]

    @pytest.mark.parametrize("moment", ["undo 0", "undo 1"])
    def test_goes_on_taking_back(self, toy: Toy, moment: str) -> None:
        operation = toy.ask(trouble={"do 2": "conflict", moment: "died"}, once=True)
        carry_on(operation)
        assert operation.state == OperationState.FAILED
        assert operation.error == "Something is in the way."
        assert toy.effects() == []

    def test_a_lost_database_is_no_failure(self, toy: Toy) -> None:
        operation = carry_out(toy.ask(trouble={"do 1": "database"}, once=True))
        assert operation.state == OperationState.RUNNING
        assert toy.effects() == [0], "nothing is taken back because the database blinked"
        assert carry_on(operation).state == OperationState.SUCCEEDED

    def test_its_absence_is_told_as_soon_as_it_is_back(
        self, toy: Toy, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(engine, "LOOK_AGAIN_S", 0.01)
        really, away = journal.let_go, iter([OperationalError("gone"), InterfaceError("closed")])

        def let_go(operation: Operation) -> None:
            if (error := next(away, None)) is not None:
                raise error
            really(operation)

        monkeypatch.setattr(journal, "let_go", let_go)
        operation = carry_out(toy.ask(trouble={"do 1": "database"}, once=True))
        assert (operation.state, operation.attempts) == (OperationState.RUNNING, 0)

    def test_what_the_database_never_takes_ends(self, toy: Toy) -> None:
        operation = carry_on(toy.ask(trouble={"do 1": "database"}))
        assert operation.state == OperationState.FAILED
        assert toy.history() == ["do 0", "undo 0"]
        # As often as is forgiven, and then as often as any other attempt.
        assert operation.log.filter(text=journal.LET_GO).count() == journal.FORGIVEN + engine.ATTEMPTS
        assert operation.parked

    def test_also_where_it_is_taken_back(self, toy: Toy) -> None:
        operation = carry_on(toy.ask(trouble={"do 1": "conflict", "undo 0": "database"}))
        assert operation.state == OperationState.FAILED
        assert operation.left_behind.startswith("Put 0: ")

    def test_also_where_its_end_is_written(self, toy: Toy) -> None:
        operation = carry_on(toy.ask(break_settle="database"))
        assert operation.state == OperationState.FAILED
        assert "not brought up to date" in operation.left_behind


class TestFailure:
    def test_takes_back_in_reverse(self, toy: Toy) -> None:
        operation = carry_out(toy.ask(trouble={"do 2": "conflict"}))
        assert operation.state == OperationState.FAILED
        assert (operation.error, operation.fix) == ("Something is in the way.", "Move it.")
        assert toy.history() == ["do 0", "do 1", "undo 1", "undo 0"]
        assert states(operation) == [StepState.UNDONE] * 3
        assert [line.text for line in operation.log.all()] == ["Put 2: Something is in the way."]

    def test_takes_back_what_the_failed_step_left(self, toy: Toy) -> None:
        carry_out(toy.ask(trouble={"after 1": "full"}))
        assert toy.effects() == []

    def test_says_what_to_do_about_a_full_pool(self, toy: Toy) -> None:
        assert "Free some space" in carry_out(toy.ask(trouble={"do 0": "full"})).fix

    def test_says_what_could_not_be_taken_back(self, toy: Toy) -> None:
        operation = carry_out(toy.ask(trouble={"do 2": "conflict", "undo 1": "conflict"}))
        assert operation.left_behind == "Put 1: Something is in the way."
        assert toy.effects() == [1], "one that fails does not keep the others"

    def test_after_the_point_of_no_return_it_stops_there(self, toy: Toy) -> None:
        operation = carry_out(toy.ask(no_return=1, trouble={"do 2": "conflict"}))
        assert operation.state == OperationState.FAILED
        assert operation.left_behind == "Not done: Put 2"
        assert toy.effects() == [0, 1]

    def test_keeps_the_details_of_a_defect_to_itself(self, toy: Toy) -> None:
        operation = carry_out(toy.ask(trouble={"do 0": "defect"}))
        assert operation.error == "The panel broke: ValueError."
        assert "secret" not in operation.error + operation.fix + operation.left_behind

    def test_one_without_a_procedure_ends(self, toy: Toy) -> None:
        operation = toy.ask()
        Operation.objects.update(kind="toy.unknown")
        assert carry_out(operation).state == OperationState.FAILED

    def test_one_that_began_under_other_code_ends(self, toy: Toy) -> None:
        operation = carry_out(toy.ask(trouble={"do 1": "died"}))
        params = {**operation.params, "steps": 2}
        Operation.objects.update(params=params)
        assert carry_on(operation).state == OperationState.FAILED

    def test_is_not_done_for_somebody_who_was_locked_out(self, toy: Toy, cast: Cast) -> None:
        operation = toy.ask(actor=cast.operator)
        User.objects.filter(pk=cast.operator.pk).update(is_active=False)
        assert carry_out(operation).state == OperationState.FAILED
        assert toy.history() == []

    def test_is_not_done_for_somebody_whose_right_was_taken_back(self, toy: Toy, cast: Cast) -> None:
        operation = toy.ask(actor=cast.operator)
        User.objects.filter(pk=cast.operator.pk).update(role=Role.AUDITOR)
        ended = carry_out(operation)
        assert (ended.state, toy.history()) == (OperationState.FAILED, [])
        assert "may not do it" in ended.error

    def test_is_taken_back_where_the_right_went_halfway(self, toy: Toy, cast: Cast) -> None:
        operation = carry_out(toy.ask(actor=cast.operator, trouble={"do 1": "died"}, once=True))
        User.objects.filter(pk=cast.operator.pk).update(role=Role.AUDITOR)
        assert carry_on(operation).state == OperationState.FAILED
        assert toy.effects() == []


class TestRetry:
    def test_what_may_pass_is_tried_again_later(self, toy: Toy) -> None:
        operation = carry_out(toy.ask(trouble={"do 1": "unreachable"}, once=True))
        assert (operation.state, operation.message) == (OperationState.QUEUED, "no route to host")
        carry_out(operation)
        assert operation.attempts == 1, "not before its time"
        let_time_pass(operation)
        assert carry_out(operation).state == OperationState.SUCCEEDED
        assert toy.history() == ["do 0", "do 1", "do 2"]

    def test_gives_up_in_the_end(self, toy: Toy) -> None:
        operation = carry_on(toy.ask(trouble={"do 1": "unreachable"}))
        assert (operation.state, operation.error) == (OperationState.FAILED, "no route to host")
        assert toy.effects() == []
        assert operation.log.filter(text__contains="Trying again").count() == engine.ATTEMPTS - 1

    def test_waits_longer_each_time(self, toy: Toy) -> None:
        operation = carry_out(toy.ask(trouble={"do 0": "unreachable"}))
        let_time_pass(operation)
        carry_out(operation)
        assert [line.text[-5:] for line in operation.log.all()] == ["10 s.", "20 s."]

    def test_taking_back_is_tried_again_too(self, toy: Toy) -> None:
        operation = carry_out(toy.ask(trouble={"do 1": "conflict", "undo 0": "unreachable"}, once=True))
        assert (operation.state, operation.undoing) == (OperationState.QUEUED, True)
        assert carry_on(operation).state == OperationState.FAILED
        assert (operation.error, operation.left_behind) == ("Something is in the way.", "")
        assert toy.effects() == []


class TestPoison:
    def test_one_that_kills_its_workers_is_parked(self, toy: Toy) -> None:
        operation = toy.ask(trouble={"do 1": "died"})
        for _ in range(engine.ATTEMPTS):
            assert carry_out(operation).state == OperationState.RUNNING
            let_time_pass(operation)
        carry_out(operation)
        assert (operation.state, operation.parked) == (OperationState.FAILED, True)
        assert "broke off" in operation.error
        assert toy.effects() == []

    def test_even_where_taking_back_kills_them(self, toy: Toy) -> None:
        operation = toy.ask(trouble={"do 1": "conflict", "undo 0": "died"})
        for _ in range(engine.ATTEMPTS):
            assert carry_out(operation).state == OperationState.RUNNING
            let_time_pass(operation)
        carry_out(operation)
        assert (operation.state, operation.parked) == (OperationState.FAILED, True)
        assert operation.left_behind == "Put 0: every attempt to take this back broke off."
        assert toy.effects() == [0]

    def test_deaths_and_failures_count_together(self, toy: Toy) -> None:
        operation = toy.ask(trouble={"do 0": "died", "after 0": "unreachable", "do 1": "died"}, once=True)
        for _ in range(engine.ATTEMPTS):
            assert carry_out(operation).active
            let_time_pass(operation)
        assert carry_out(operation).parked

    def test_one_that_is_parked_is_tried_no_more(self, toy: Toy) -> None:
        operation = carry_on(toy.ask(trouble={"do 1": "unreachable"}))
        before = toy.history()
        let_time_pass(operation)
        carry_out(operation)
        assert (operation.parked, toy.history()) == (True, before)
        assert operation.pk not in journal.lost(silent_for=timedelta(0))

    def test_what_could_not_be_taken_back_in_time_is_parked_too(self, toy: Toy) -> None:
        operation = carry_on(toy.ask(trouble={"do 1": "conflict", "undo 0": "unreachable"}))
        assert (operation.parked, operation.left_behind) == (True, "Put 0: no route to host")
        tries = operation.log.filter(text__contains="Trying again")
        assert tries.count() == engine.ATTEMPTS - 1

    @pytest.mark.parametrize(
        "trouble", [{}, {"do 1": "conflict"}, {"do 1": "conflict", "undo 0": "conflict"}]
    )
    def test_what_ends_by_itself_is_not_parked(self, toy: Toy, trouble: dict[str, str]) -> None:
        assert not carry_on(toy.ask(trouble=trouble)).parked

    def test_who_asked_sees_it_first_on_the_overview(self, toy: Toy, cast: Cast) -> None:
        carry_on(toy.ask(actor=cast.operator, trouble={"do 1": "unreachable"}))
        for _ in range(8):
            carry_on(toy.ask(actor=cast.operator, trouble={"do 0": "conflict"}))
        page = browser_of(cast.operator).get("/").content.decode()
        assert "Parked: Put 3 files" in page
        assert "Parked" not in browser_of(cast.stranger).get("/").content.decode()

    def test_not_before_it_was_taken_back(self, toy: Toy, cast: Cast) -> None:
        trouble = {"do 1": "unreachable", "undo 0": "unreachable"}
        operation = toy.ask(actor=cast.operator, trouble=trouble)
        for _ in range(engine.ATTEMPTS):
            carry_out(operation)
            let_time_pass(operation)
        assert operation.parked
        assert (operation.active, operation.undoing, operation.is_parked) == (True, True, False)
        assert self.told(cast, operation) == (False, False)
        assert self.told(cast, carry_on(operation)) == (True, True)

    def test_where_a_person_cancelled_it(self, toy: Toy, cast: Cast) -> None:
        trouble = {"do 1": "unreachable", "undo 0": "unreachable"}
        operation = carry_out(toy.ask(actor=cast.operator, trouble=trouble))
        Operation.objects.filter(pk=operation.pk).update(cancel_requested=True)
        let_time_pass(operation)
        operation = carry_on(operation)
        assert (operation.state, operation.error) == (OperationState.CANCELLED, "")
        assert self.told(cast, operation) == (True, True)

    def test_rest_and_its_page_tell(self, toy: Toy, cast: Cast) -> None:
        operation = carry_on(toy.ask(actor=cast.operator, trouble={"do 1": "unreachable"}))
        assert self.told(cast, operation) == (True, True)

    def told(self, cast: Cast, operation: Operation) -> tuple[bool, bool]:
        """Whether REST and its page say that it is parked."""
        rest = program_of(cast.operator).get(f"/api/v1/operations/{operation.pk}").json()
        page = browser_of(cast.operator).get(reverse("operations:detail", args=[operation.pk]))
        return rest["parked"], "Parked after the last attempt" in page.content.decode()


class TestSettle:
    @pytest.mark.parametrize(("trouble", "word"), [({}, "settled True"), ({"do 1": "full"}, "settled False")])
    def test_the_room_writes_down_the_end(self, toy: Toy, trouble: dict[str, str], word: str) -> None:
        carry_out(toy.ask(trouble=trouble))
        toy.host.refresh_from_db()
        assert toy.host.error == word

    def test_a_broken_hook_locks_nothing(self, toy: Toy) -> None:
        operation = carry_out(toy.ask(break_settle="defect"))
        assert operation.state == OperationState.FAILED
        assert operation.left_behind.startswith("The inventory was not brought up to date")
        toy.host.refresh_from_db()
        assert toy.host.error == "", "what it wrote went with it"
        toy.ask()

    def test_who_lost_the_lease_writes_nothing(self, toy: Toy) -> None:
        operation = carry_out(toy.ask(trouble={"after 2": "died"}))
        stale = Operation.objects.get(pk=operation.pk)
        Operation.objects.update(epoch=stale.epoch + 1)
        with pytest.raises(journal.LeaseLost):
            engine._settle(stale, OperationState.SUCCEEDED)
        toy.host.refresh_from_db()
        assert toy.host.error == ""


class TestCancel:
    def test_before_it_began(self, toy: Toy, cast: Cast) -> None:
        operation = actions.cancel(operation=toy.ask(), actor=cast.operator)
        assert carry_out(operation).state == OperationState.CANCELLED
        assert (toy.history(), states(operation)) == ([], [StepState.PENDING] * 3)

    @pytest.mark.parametrize("moment", ["do 0", "after 0", "do 1", "after 1", "do 2"])
    def test_takes_back_what_was_done(self, toy: Toy, cast: Cast, moment: str) -> None:
        operation = carry_out(toy.ask(trouble={moment: "died"}, once=True))
        actions.cancel(operation=operation, actor=cast.operator)
        let_time_pass(operation)
        assert carry_out(operation).state == OperationState.CANCELLED
        assert toy.effects() == []
        assert operation.error == ""

    def test_does_not_wait_for_the_next_attempt(self, toy: Toy, cast: Cast) -> None:
        operation = carry_out(toy.ask(trouble={"do 1": "unreachable"}))
        actions.cancel(operation=operation, actor=cast.operator)
        assert carry_out(operation).state == OperationState.CANCELLED

    def test_after_the_last_step_it_is_too_late(self, toy: Toy, cast: Cast) -> None:
        operation = carry_out(toy.ask())
        with pytest.raises(Conflict):
            actions.cancel(operation=operation, actor=cast.operator)

    def test_after_the_point_of_no_return_it_is_refused(self, toy: Toy, cast: Cast) -> None:
        operation = carry_out(toy.ask(no_return=1, trouble={"do 1": "died"}, once=True))
        with pytest.raises(Conflict):
            actions.cancel(operation=operation, actor=cast.operator)
        let_time_pass(operation)
        assert carry_out(operation).state == OperationState.SUCCEEDED

    def test_before_the_point_of_no_return_it_is_heeded(self, toy: Toy, cast: Cast) -> None:
        operation = carry_out(toy.ask(no_return=1, trouble={"after 0": "died"}, once=True))
        actions.cancel(operation=operation, actor=cast.operator)
        assert carry_on(operation).state == OperationState.CANCELLED
        assert toy.effects() == []

    def test_twice_is_once(self, toy: Toy, cast: Cast) -> None:
        operation = toy.ask()
        actions.cancel(operation=operation, actor=cast.operator)
        actions.cancel(operation=operation, actor=cast.operator)
        assert Entry.objects.filter(verb="operation.cancel").count() == 1
