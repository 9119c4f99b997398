"""One verb on many machines: what becomes of each is told, and what is in the way of one keeps no other."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from uuid import UUID, uuid4

import pytest
from django.test import Client

from accounts.models import User
from core.errors import Forbidden, InvalidInput
from domains.actions import bulk as action
from domains.actions.bulk import bulk
from domains.actions.power import power
from domains.models import Domain, DomainState, Selection
from domains.power import PowerVerb
from hosts.models import Host, HostState
from operations.actions import cancel
from operations.models import ACTIVE, Operation, OperationState
from tests.conftest import Cast, browser_of, program_of
from tests.domains.test_create import define_by_hand
from tests.domains.test_drain import work_off
from tests.lab.host import LabHost
from tests.stage import carry_out

Make = Callable[..., list[Domain]]


@pytest.fixture
def make(host: Host) -> Make:
    """Machines that are off, in the inventory alone."""
    Host.objects.filter(pk=host.pk).update(state=HostState.UP)

    def some(count: int, **columns: object) -> list[Domain]:
        values = {"host": host, "state": DomainState.OFF, **columns}
        return [Domain.objects.create(name=f"many-{number:02}", **values) for number in range(count)]

    return some


def keys(machines: list[Domain]) -> list[UUID]:
    return [domain.uuid for domain in machines]


def start(machines: list[Domain], actor: User) -> Operation:
    return bulk(verb=PowerVerb.START, machines=keys(machines), actor=actor)


@pytest.mark.django_db
class TestAsking:
    def test_one_operation_about_a_selection(self, cast: Cast, make: Make) -> None:
        operation = start(make(3), cast.operator)

        assert (operation.kind, operation.title) == ("domain.bulk", "Start 3 virtual machines")
        assert (operation.target_kind, operation.target_name) == ("selection", "3 virtual machines")

    def test_the_same_click_is_one_operation(self, cast: Cast, make: Make) -> None:
        machines = keys(make(2))
        first, second = (
            bulk(verb=PowerVerb.START, machines=machines, actor=cast.operator, idempotency_key="click")
            for _ in range(2)
        )

        assert first == second
        assert Selection.objects.count() == 1

    def test_a_key_of_another_verb_is_refused(self, cast: Cast, make: Make) -> None:
        asked = {"machines": [str(key) for key in keys(make(2))]}

        def ask(verb: str) -> int:
            address, key = f"/api/v1/domains/bulk/{verb}", {"Idempotency-Key": "call"}
            program = program_of(cast.operator)
            return program.post(address, asked, content_type="application/json", headers=key).status_code

        assert [ask("start"), ask("force-off"), ask("start")] == [202, 409, 202]
        assert Operation.objects.get().params["verb"] == "start"

    @pytest.mark.parametrize("count", [0, action.MOST + 1])
    def test_none_and_too_many_are_refused(self, cast: Cast, count: int) -> None:
        with pytest.raises(InvalidInput):
            bulk(verb=PowerVerb.START, machines=[uuid4() for _ in range(count)], actor=cast.operator)

    def test_nobody_asks_who_may_do_it_to_none(self, cast: Cast, make: Make) -> None:
        machines = make(2, team=cast.team)

        assert start(machines, cast.member).team is None
        for person in (cast.auditor, cast.stranger):
            with pytest.raises(Forbidden):
                start(machines, person)

    def test_from_the_page(self, cast: Cast, make: Make) -> None:
        machines = make(3)
        browser = browser_of(cast.operator)

        answer = browser.post("/machines/bulk/start/", {"machine": [str(key) for key in keys(machines[:2])]})
        assert b"Start 2 virtual machines" in answer.content
        answer = browser.post("/machines/bulk/start/", {"all": "1", "q": "many-01"})
        assert b"Start 1 virtual machine" in answer.content
        assert browser.post("/machines/bulk/start/", {"machine": "<b>"}).status_code == 422
        assert browser.post("/machines/bulk/undefine/", {"all": "1"}).status_code == 404

    def test_by_rest(self, cast: Cast, make: Make) -> None:
        machines, program = make(3), program_of(cast.operator)

        def ask(body: dict[str, object]) -> str:
            answer = program.post("/api/v1/domains/bulk/start", body, content_type="application/json")
            return str(answer.json().get("title"))

        assert ask({"machines": [str(machines[0].uuid)]}) == "Start 1 virtual machine"
        assert ask({"matching": {"state": "off"}}) == "Start 3 virtual machines"
        assert ask({}) == "Choose at least one virtual machine."

    def test_the_list_lets_those_choose_who_may_switch(self, cast: Cast, make: Make) -> None:
        make(1, team=cast.team)

        def offers(browser: Client) -> bool:
            return b"data-pick" in browser.get("/machines/").content

        assert offers(browser_of(cast.member))
        assert not offers(browser_of(cast.auditor))


@pytest.mark.django_db(transaction=True)
class TestParts:
    def test_no_more_than_a_few_at_once(self, cast: Cast, make: Make) -> None:
        operation = start(make(9), cast.operator)
        carry_out(operation.pk)

        assert operation.children.filter(state__in=ACTIVE).count() == 4
        ended = operation.children.first()
        assert ended is not None
        carry_out(ended.pk)  # it fails: nobody knows this host
        Operation.objects.filter(pk=ended.pk).update(state=OperationState.FAILED)
        carry_out(operation.pk)
        assert operation.children.count() in (4, 5)

    def test_what_could_not_begin_is_told_with_its_reason(self, cast: Cast, make: Make, host: Host) -> None:
        running, busy, gone, away, foreign, fine = make(6, team=cast.team)
        down = Host.objects.create(name="kvm9", state=HostState.DOWN)
        Domain.objects.filter(pk=running.pk).update(state=DomainState.RUNNING)
        Domain.objects.filter(pk=away.pk).update(host=down)
        Domain.objects.filter(pk=foreign.pk).update(team=None, owner=cast.auditor)
        power(verb=PowerVerb.START, domain=busy, actor=cast.operator)
        nobody = uuid4()
        chosen = [*keys([running, busy, gone, away, foreign, fine]), nobody]
        operation = bulk(verb=PowerVerb.START, machines=chosen, actor=cast.member)
        Domain.objects.filter(pk=gone.pk).update(gone_at="2026-01-01T00:00Z")
        carry_out(operation.pk)

        assert [part.target_id for part in operation.children.all()] == [fine.uuid]
        operation.refresh_from_db()
        told = {key: one["why"] for key, one in operation.params["refused"].items()}
        assert "makes no sense now" in told.pop(str(running.uuid))
        assert "still at work here" in told.pop(str(busy.uuid))
        assert "not on its host any more" in told.pop(str(gone.uuid))
        assert "kvm9, does not answer" in told.pop(str(away.uuid))
        assert "no such virtual machine" in told.pop(str(foreign.uuid)), "its name is nobody else's business"
        assert "no such virtual machine" in told.pop(str(nobody))
        assert not told
        page = browser_of(cast.member).get(f"/operations/{operation.pk}/").content.decode()
        assert "kvm9, does not answer" in page
        assert "0 of 7 done" in page
        rest = program_of(cast.member).get(f"/api/v1/operations/{operation.pk}").json()
        assert {one["target"] for one in rest["refused"]} == {*operation.params["refused"]}
        assert [part["target"] for part in rest["parts"]] == [str(fine.uuid)]

    def test_a_right_that_was_lost_meanwhile_stops_the_rest(self, cast: Cast, make: Make) -> None:
        operation = start(make(2, team=cast.team), cast.member)
        cast.team.memberships.filter(user=cast.member).delete()
        carry_out(operation.pk)

        assert not operation.children.exists()

    def test_cancelled_it_begins_no_more(self, cast: Cast, make: Make) -> None:
        operation = start(make(9), cast.operator)
        carry_out(operation.pk)
        cancel(operation=operation, actor=cast.operator)

        ended = work_off(operation)

        assert ended.state == OperationState.CANCELLED
        assert operation.children.count() == 4


class TestOnARealHost:
    @pytest.fixture
    def machines(self, real_host: Host, lab_host: LabHost) -> Iterator[list[Domain]]:
        Host.objects.filter(pk=real_host.pk).update(state=HostState.UP)
        names = [f"bulk{number}" for number in range(5)]
        rows = []
        for name in names:
            define_by_hand(lab_host, name)
            uuid = UUID(lab_host.virsh("domuuid", name).strip())
            rows.append(Domain.objects.create(host=real_host, uuid=uuid, name=name, state=DomainState.OFF))
        yield rows
        for name in names:
            if lab_host.virsh("domstate", name).strip() != "shut off":
                lab_host.virsh("destroy", name)
            lab_host.virsh("undefine", name)

    def test_each_is_started_but_one_that_can_not(
        self, machines: list[Domain], cast: Cast, lab_host: LabHost
    ) -> None:
        Domain.objects.filter(pk=machines[4].pk).update(state=DomainState.UNKNOWN)

        ended = work_off(start(machines, cast.operator))

        assert ended.state == OperationState.FAILED
        assert ended.error == "1 of 5 not done: bulk4: “Start” makes no sense now: bulk4 is unknown."
        assert not ended.left_behind
        assert set(lab_host.virsh("list", "--name").split()) == {f"bulk{number}" for number in range(4)}
        off = bulk(verb=PowerVerb.FORCE_OFF, machines=keys(machines[:4]), actor=cast.operator)
        assert work_off(off).state == OperationState.SUCCEEDED
        assert not lab_host.virsh("list", "--name").split()
