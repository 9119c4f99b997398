"""Who sees which operations, and what the pages say of them."""

from __future__ import annotations

from dataclasses import replace
from uuid import uuid4

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from accounts.models import User
from core import live
from hosts.models import Host
from operations.models import Operation, OperationState
from tests.conftest import Cast, browser_of, program_of
from tests.operations.conftest import carry_out
from tests.operations.toys import Toy

LIST = "/operations/"


@pytest.fixture
def operation(toy: Toy, cast: Cast) -> Operation:
    """The lead's, for the team."""
    operation = toy.ask(actor=cast.lead)
    Operation.objects.update(team=cast.team)
    return operation


def renderer(kind: str) -> live.Renderer:
    topic = live.topic(kind)
    assert topic is not None
    return topic.render


def some(count: int, actor: User, **values: object) -> None:
    """Rows as they stand in the database after `count` operations have ended."""
    Operation.objects.bulk_create(
        Operation(
            title=f"Put {number} files",
            target_kind="toy",
            target_id=uuid4(),
            target_name="toy",
            actor=actor,
            **{"kind": "toy.put", "state": OperationState.SUCCEEDED, **values},
        )
        for number in range(count)
    )


class TestList:
    @pytest.mark.parametrize("name", ["superuser", "operator", "auditor", "lead", "member"])
    def test_shows_what_one_may_see(self, operation: Operation, cast: Cast, name: str) -> None:
        page = browser_of(cast.people()[name]).get(LIST)
        assert operation.title in page.text

    def test_shows_a_stranger_nothing(self, operation: Operation, cast: Cast) -> None:
        page = browser_of(cast.stranger).get(LIST)
        assert page.status_code == 200
        assert operation.title not in page.text
        assert "No operations yet" in page.text

    def test_only_who_may_cancel_has_the_button(self, operation: Operation, cast: Cast) -> None:
        address = f"/operations/{operation.pk}/cancel"
        buttons = {name: address in browser_of(user).get(LIST).text for name, user in cast.people().items()}
        assert buttons == {
            "superuser": True,
            "operator": True,
            "lead": True,
            "auditor": False,
            "member": False,
            "stranger": False,
        }

    def test_a_team_cannot_cancel_what_it_could_not_ask_for(self, cast: Cast, toy: Toy) -> None:
        some(1, cast.operator, kind="domain.start", team=cast.team, state=OperationState.QUEUED)
        some(1, cast.operator, kind="domain.migrate", team=cast.team, state=OperationState.QUEUED)
        part = {"kind": "domain.stop", "team": cast.team, "parent": toy.ask(actor=cast.operator)}
        some(1, cast.operator, **part, state=OperationState.QUEUED)
        lead, operator = browser_of(cast.lead), browser_of(cast.operator)
        start, move, stop = (
            f"/operations/{Operation.objects.get(kind=f'domain.{kind}').pk}/cancel"
            for kind in ("start", "migrate", "stop")
        )

        page = lead.get(LIST).text
        assert [address in page for address in (start, move, stop)] == [True, False, False]
        assert [lead.post(address).status_code for address in (start, move, stop)] == [302, 404, 404]
        assert [operator.post(address).status_code for address in (move, stop)] == [302, 302]

    def test_running_ones_come_first(self, operation: Operation, cast: Cast, operator: Client) -> None:
        some(1, cast.operator)
        words = operator.get(LIST).text
        assert words.index("Running and waiting") < words.index(operation.title) < words.index("Put 0 files")

    @pytest.mark.parametrize(
        ("query", "found"),
        [
            ("outcome=queued", True),
            ("outcome=failed", False),
            ("person=lead", True),
            ("person=operator", False),
            ("kind=toy.put", True),
            ("kind=toy", False),
            ("target_kind=host", True),
            ("target_kind=domain", False),
            ("outcome=queued&person=lead&kind=toy.put&target_kind=host", True),
            ("outcome=queued&person=operator", False),
        ],
    )
    def test_filters(self, operation: Operation, operator: Client, query: str, found: bool) -> None:  # noqa: FBT001
        words = operator.get(f"{LIST}?{query}").text
        assert (operation.title in words, "Nothing fits" in words) == (found, not found)

    def test_finds_by_target(self, operation: Operation, operator: Client) -> None:
        assert operation.title in operator.get(f"{LIST}?target={operation.target_id}").text
        assert operation.title not in operator.get(f"{LIST}?target={uuid4()}").text

    @pytest.mark.parametrize(
        "query", ["page=-1", "page=x", "target=x", "outcome=%00", "kind=%00", "person=" + "x" * 10_000]
    )
    def test_takes_any_address(self, operation: Operation, operator: Client, query: str) -> None:
        assert operator.get(f"{LIST}?{query}").status_code == 200

    def test_pages(self, cast: Cast, operator: Client) -> None:
        some(51, cast.operator)
        assert operator.get(LIST).text.count("Put ") == 50
        assert operator.get(f"{LIST}?page=2").text.count("Put ") == 1

    def test_asks_no_more_for_many(
        self, cast: Cast, operator: Client, django_assert_max_num_queries: DjangoAssertNumQueries
    ) -> None:
        some(300, cast.operator)
        some(60, cast.operator, state=OperationState.RUNNING)
        operator.get(LIST)
        with django_assert_max_num_queries(8):
            operator.get(LIST)

    def test_gives_htmx_the_list_alone(self, operation: Operation, operator: Client) -> None:
        answer = operator.get(LIST, headers={"hx-request": "true"})
        part = answer.text
        assert "HX-Request" in answer["Vary"]  # or a browser's "back" would show the list alone
        assert part.lstrip().startswith('<div id="operations"')
        assert operation.title in part


class TestDetail:
    def test_does_not_exist_for_a_stranger(self, operation: Operation, cast: Cast) -> None:
        assert browser_of(cast.stranger).get(f"/operations/{operation.pk}/").status_code == 404

    def test_tells_the_steps_and_the_log(self, operation: Operation, operator: Client, cast: Cast) -> None:
        Operation.objects.update(actor=cast.operator)
        carry_out(operation)
        words = operator.get(f"/operations/{operation.pk}/").text
        assert words.index("Put 0") < words.index("Put 1") < words.index("Put 2")
        assert "Done" in words

    def test_tells_what_to_do_about_a_failure(self, toy: Toy, operator: Client) -> None:
        operation = carry_out(toy.ask(trouble={"do 1": "conflict", "undo 0": "conflict"}))
        words = operator.get(f"/operations/{operation.pk}/").text
        for said in ("Something is in the way.", "Move it.", "What was left behind"):
            assert said in words

    def test_shows_hostile_names_as_text(self, toy: Toy, operator: Client) -> None:
        Host.objects.update(name="<b>bold</b>")
        operation = replace(toy, host=Host.objects.get()).ask()
        words = operator.get(f"/operations/{operation.pk}/").text
        assert "<b>bold" not in words
        assert "&lt;b&gt;bold" in words


class TestCancel:
    def test_is_not_done_by_looking(self, operation: Operation, operator: Client) -> None:
        assert operator.get(f"/operations/{operation.pk}/cancel").status_code == 405

    @pytest.mark.parametrize("name", ["auditor", "member", "stranger"])
    def test_does_not_exist_for_who_may_not(self, operation: Operation, cast: Cast, name: str) -> None:
        answer = browser_of(cast.people()[name]).post(f"/operations/{operation.pk}/cancel")
        assert answer.status_code == 404
        assert not Operation.objects.get().cancel_requested

    def test_answers_with_what_follows_it(self, operation: Operation, cast: Cast) -> None:
        browser = browser_of(cast.lead)
        answer = browser.post(f"/operations/{operation.pk}/cancel", headers={"hx-request": "true"})
        assert "Stopping" in answer.text
        assert f'data-live="operation-started:{operation.pk}"' in answer.text

    def test_says_when_it_is_too_late(self, operation: Operation, cast: Cast) -> None:
        carry_out(operation)
        answer = browser_of(cast.lead).post(
            f"/operations/{operation.pk}/cancel", headers={"hx-request": "true"}
        )
        assert answer.status_code == 409
        assert "cancelled any more" in answer.text


class TestDrawer:
    def test_holds_ones_own_and_no_others(self, operation: Operation, cast: Cast) -> None:
        assert operation.title in browser_of(cast.lead).get("/operations/drawer").text
        assert operation.title not in browser_of(cast.operator).get("/operations/drawer").text

    def test_forgets_after_a_while(self, operation: Operation, cast: Cast) -> None:
        carry_out(operation)
        assert operation.title in browser_of(cast.lead).get("/operations/drawer").text
        Operation.objects.update(finished_at="2020-01-01T00:00:00Z")
        assert operation.title not in browser_of(cast.lead).get("/operations/drawer").text


class TestApi:
    def test_lists_what_one_may_see(self, operation: Operation, cast: Cast) -> None:
        seen = browser_of(cast.member).get("/api/v1/operations").json()
        assert (seen["count"], seen["items"][0]["id"]) == (1, str(operation.pk))
        assert browser_of(cast.stranger).get("/api/v1/operations").json() == {"count": 0, "items": []}

    def test_tells_steps_and_log(self, operation: Operation, operator: Client, cast: Cast) -> None:
        Operation.objects.update(actor=cast.operator)
        carry_out(operation)
        told = operator.get(f"/api/v1/operations/{operation.pk}").json()
        assert (told["state"], told["person"], len(told["steps"])) == ("succeeded", "operator", 3)

    def test_does_not_exist_for_a_stranger(self, operation: Operation, cast: Cast) -> None:
        stranger = program_of(cast.stranger)
        assert stranger.get(f"/api/v1/operations/{operation.pk}").status_code == 404
        assert stranger.post(f"/api/v1/operations/{operation.pk}/cancel").status_code == 404

    def test_cancels(self, operation: Operation, cast: Cast) -> None:
        answer = program_of(cast.operator).post(f"/api/v1/operations/{operation.pk}/cancel")
        assert (answer.status_code, answer.json()["cancel_requested"]) == (202, True)

    def test_refuses_what_has_ended(self, operation: Operation, cast: Cast) -> None:
        carry_out(operation)
        answer = program_of(cast.operator).post(f"/api/v1/operations/{operation.pk}/cancel")
        assert (answer.status_code, answer["Content-Type"]) == (409, "application/problem+json")

    @pytest.mark.parametrize("query", ["limit=0", "limit=201", "offset=-1"])
    def test_refuses_senseless_parts(self, operator: Client, query: str) -> None:
        assert operator.get(f"/api/v1/operations?{query}").status_code == 422


class TestLive:
    @pytest.mark.parametrize("kind", ["operation", "operation-steps", "operation-row", "operation-started"])
    def test_pushes_nothing_to_a_stranger(self, operation: Operation, cast: Cast, kind: str) -> None:
        topic = renderer(kind)
        assert str(operation.pk) in (topic(cast.member, str(operation.pk)) or "")
        assert topic(cast.stranger, str(operation.pk)) is None
        assert topic(cast.operator, "not-a-uuid") is None

    def test_a_drawer_is_private(self, operation: Operation, cast: Cast) -> None:
        assert operation.title in (renderer("drawer")(cast.lead, str(cast.lead.pk)) or "")
        assert renderer("drawer")(cast.operator, str(cast.lead.pk)) is None
