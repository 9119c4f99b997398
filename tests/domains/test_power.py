"""Every power verb in every state: allowed, or refused with the reason; and what the real host makes of it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from html import unescape
from uuid import UUID

import pytest
from pytest_django import Settings

from core.errors import Conflict, Forbidden, TargetBusy
from domains import inventory
from domains.actions.power import power
from domains.models import Domain, DomainState
from domains.power import PowerVerb
from hosts.connections import Hypervisor, borrow
from hosts.models import Host
from operations.actions import cancel
from operations.models import Operation, OperationState
from tests.conftest import Cast, browser_of
from tests.domains.test_create import define_by_hand
from tests.lab.host import LabHost
from tests.operations.conftest import carry_on
from tests.stage import carry_out

EVERY = {state.value for state in DomainState}
OFFERED = {
    PowerVerb.START: {"off"},
    PowerVerb.START_PAUSED: {"off"},
    PowerVerb.START_FRESH: {"off"},
    PowerVerb.SHUTDOWN: {"running"},
    PowerVerb.REBOOT: {"running"},
    PowerVerb.SUSPEND: {"running"},
    PowerVerb.RESUME: {"paused", "suspended"},
    PowerVerb.SAVE: {"running", "paused"},
    PowerVerb.DISCARD_SAVED: {"off"},
    PowerVerb.RESET: {"running", "paused", "crashed"},
    PowerVerb.FORCE_OFF: {"running", "paused", "shutting-down", "crashed", "suspended"},
    PowerVerb.AUTOSTART_ON: EVERY - {"creating"},
    PowerVerb.AUTOSTART_OFF: EVERY - {"creating"},
}
# What else a verb needs to be so, and what is said where it isn't.
NEEDS = {
    PowerVerb.START_FRESH: ("managed_save", "no saved memory"),
    PowerVerb.DISCARD_SAVED: ("managed_save", "no saved memory"),
    PowerVerb.SAVE: ("persistent", "no definition"),
    PowerVerb.AUTOSTART_ON: ("persistent", "no definition"),
    PowerVerb.AUTOSTART_OFF: ("autostart", "does not start with its host"),
}


def seen(domain: Domain) -> Domain:
    """As its host has it now."""
    with borrow(domain.host) as hypervisor:
        inventory.record_domain(domain.host, hypervisor.read_domain(domain.uuid))
    domain.refresh_from_db()
    return domain


def columns(domain: Domain) -> Mapping[str, object]:
    """What the inventory says."""
    return Domain.objects.values("managed_save", "autostart").get(pk=domain.pk)


@pytest.mark.django_db
class TestTable:
    @pytest.mark.parametrize("verb", list(PowerVerb))
    def test_in_each_state(self, cast: Cast, host: Host, verb: PowerVerb) -> None:
        columns = {NEEDS[verb][0]: True} if verb in NEEDS else {}
        for state in DomainState:
            domain = Domain.objects.create(host=host, name=f"in-{state}", state=state, **columns)

            if state.value in OFFERED[verb]:
                assert power(verb=verb, domain=domain, actor=cast.operator).kind == verb.kind
            else:
                with pytest.raises(Conflict, match="makes no sense now"):
                    power(verb=verb, domain=domain, actor=cast.operator)
                assert not Operation.objects.about("domain", domain.uuid).exists()

    @pytest.mark.parametrize("verb", NEEDS)
    def test_what_else_it_needs(self, cast: Cast, host: Host, verb: PowerVerb) -> None:
        column, words = NEEDS[verb]
        state = sorted(OFFERED[verb])[0]
        domain = Domain.objects.create(host=host, name="web1", state=state, **{column: False})

        with pytest.raises(Conflict, match=words):
            power(verb=verb, domain=domain, actor=cast.operator)

    def test_the_page_offers_what_makes_sense_and_says_why_the_rest_does_not(
        self, cast: Cast, host: Host
    ) -> None:
        domain = Domain.objects.create(host=host, name="web1", state=DomainState.RUNNING, autostart=True)
        page = browser_of(cast.operator).get(f"/machines/{domain.uuid}/").content.decode()

        buttons = dict(
            re.findall(r'action="/machines/[^/]+/power/([^/]+)/".*?<button([^>]*)>', page, re.DOTALL)
        )
        assert "disabled" not in buttons["save"]
        assert "disabled" in buttons["start"]
        assert "“Start” makes no sense now: web1 is running." in unescape(buttons["start"])
        assert "autostart-off" in buttons
        assert buttons.keys().isdisjoint({"autostart-on", "start-fresh", "discard-saved"})

    def test_the_page_says_that_memory_is_saved(self, cast: Cast, host: Host) -> None:
        domain = Domain.objects.create(host=host, name="web1", state=DomainState.OFF, managed_save=True)
        page = browser_of(cast.operator).get(f"/machines/{domain.uuid}/").content.decode()

        assert "its memory is saved to disk" in page
        assert f"/machines/{domain.uuid}/power/start-fresh/" in page

    def test_who_lets_it_start_with_its_host(self, cast: Cast, host: Host) -> None:
        domain = Domain.objects.create(host=host, name="web1", state=DomainState.OFF, team=cast.team)
        address = f"/machines/{domain.uuid}/power/autostart-on/"

        assert browser_of(cast.member).post(address).status_code == 404, "a member may not change machines"
        assert browser_of(cast.lead).post(address).status_code == 200

    def test_one_operation_at_a_time(self, cast: Cast, host: Host) -> None:
        domain = Domain.objects.create(host=host, name="web1", state=DomainState.RUNNING)
        first = power(verb=PowerVerb.SUSPEND, domain=domain, actor=cast.operator)

        with pytest.raises(TargetBusy) as busy:
            power(verb=PowerVerb.RESET, domain=domain, actor=cast.operator)
        assert busy.value.operation_id == str(first.pk)

    def test_who_may(self, cast: Cast, host: Host) -> None:
        domain = Domain.objects.create(host=host, name="web1", state=DomainState.OFF, team=cast.team)

        with pytest.raises(Forbidden):
            power(verb=PowerVerb.START, domain=domain, actor=cast.auditor)
        with pytest.raises(Forbidden):
            power(verb=PowerVerb.START, domain=domain, actor=cast.stranger)
        assert power(verb=PowerVerb.START, domain=domain, actor=cast.member).team == cast.team

    def test_does_not_exist_for_a_stranger(self, cast: Cast, host: Host) -> None:
        domain = Domain.objects.create(host=host, name="web1", state=DomainState.OFF)

        for verb in PowerVerb:
            answer = browser_of(cast.stranger).post(f"/machines/{domain.uuid}/power/{verb}/")
            assert answer.status_code == 404

    def test_a_get_changes_nothing(self, cast: Cast, host: Host) -> None:
        domain = Domain.objects.create(host=host, name="web1", state=DomainState.OFF)

        assert browser_of(cast.operator).get(f"/machines/{domain.uuid}/power/start/").status_code == 405
        assert not Operation.objects.exists()

    def test_an_unknown_verb_is_nothing(self, cast: Cast, host: Host) -> None:
        domain = Domain.objects.create(host=host, name="web1", state=DomainState.OFF)

        assert browser_of(cast.operator).post(f"/machines/{domain.uuid}/power/undefine/").status_code == 404


class TestOnARealHost:
    @pytest.fixture
    def domain(self, real_host: Host, lab_host: LabHost) -> Iterator[Domain]:
        define_by_hand(lab_host, "power1")
        uuid = lab_host.virsh("domuuid", "power1").strip()
        yield Domain.objects.create(host=real_host, uuid=uuid, name="power1", state=DomainState.OFF)
        if lab_host.virsh("domstate", "power1").strip() != "shut off":
            lab_host.virsh("destroy", "power1")
        lab_host.virsh("undefine", "power1", "--managed-save")

    @pytest.fixture
    def running(self, domain: Domain, lab_host: LabHost) -> Domain:
        lab_host.virsh("start", "power1")
        return seen(domain)

    def do(self, verb: PowerVerb, domain: Domain, cast: Cast) -> str:
        domain.refresh_from_db()
        ended = carry_out(power(verb=verb, domain=domain, actor=cast.operator).pk)
        assert ended.state == OperationState.SUCCEEDED, ended.error
        domain.refresh_from_db()
        return domain.state

    def test_walk_through_the_states(self, domain: Domain, cast: Cast) -> None:
        assert self.do(PowerVerb.START, domain, cast) == "running"
        assert self.do(PowerVerb.SUSPEND, domain, cast) == "paused"
        assert self.do(PowerVerb.RESUME, domain, cast) == "running"
        assert self.do(PowerVerb.RESET, domain, cast) == "running"
        assert self.do(PowerVerb.REBOOT, domain, cast) == "running"
        assert self.do(PowerVerb.FORCE_OFF, domain, cast) == "off"
        assert self.do(PowerVerb.START_PAUSED, domain, cast) == "paused"

    def test_memory_goes_to_disk_and_back(self, running: Domain, cast: Cast) -> None:
        self.do(PowerVerb.SUSPEND, running, cast)

        assert self.do(PowerVerb.SAVE, running, cast) == "off"
        assert columns(running)["managed_save"]
        assert self.do(PowerVerb.START, running, cast) == "paused", "it goes on as it was"
        assert not columns(running)["managed_save"]
        self.do(PowerVerb.SAVE, running, cast)
        assert self.do(PowerVerb.START_FRESH, running, cast) == "running", "it was paused when it was saved"
        self.do(PowerVerb.SAVE, running, cast)
        assert self.do(PowerVerb.DISCARD_SAVED, running, cast) == "off"
        assert not columns(running)["managed_save"]

    def test_a_saving_that_is_cancelled_lets_it_go_on(
        self, running: Domain, cast: Cast, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        operation = power(verb=PowerVerb.SAVE, domain=running, actor=cast.operator)
        save_domain = Hypervisor.save_domain

        def cancelled_meanwhile(hypervisor: Hypervisor, uuid: UUID) -> None:
            Operation.objects.filter(pk=operation.pk).update(cancel_requested=True)
            save_domain(hypervisor, uuid)

        monkeypatch.setattr(Hypervisor, "save_domain", cancelled_meanwhile)
        monkeypatch.setattr("domains.procedures.save._LOOK_EVERY_S", 0.001)
        ended = carry_out(operation.pk)

        assert (ended.state, ended.left_behind) == (OperationState.CANCELLED, "")
        assert seen(running).state == DomainState.RUNNING
        assert not running.managed_save

    def test_starts_with_its_host_or_not(self, domain: Domain, cast: Cast, lab_host: LabHost) -> None:
        self.do(PowerVerb.AUTOSTART_ON, domain, cast)
        assert columns(domain)["autostart"]
        assert "power1" in lab_host.virsh("list", "--all", "--autostart", "--name")
        self.do(PowerVerb.AUTOSTART_OFF, domain, cast)
        assert not columns(domain)["autostart"]

    def test_one_that_does_not_go_off_is_told_and_can_be_forced(
        self, running: Domain, cast: Cast, settings: Settings
    ) -> None:
        settings.SHUTDOWN_PATIENCE_S = 0
        operation = power(verb=PowerVerb.SHUTDOWN, domain=running, actor=cast.operator)
        carry_out(operation.pk)
        ended = carry_on(operation)

        assert ended.state == OperationState.FAILED
        assert ended.error == "power1 did not go off within 0 s."
        assert "may still do so" in ended.left_behind
        assert "no guest agent answered" in ended.log.get(text__contains="power button").text
        page = browser_of(cast.operator).get(f"/machines/{running.uuid}/").content.decode()
        activity = page[page.index("domain-activity") :]
        assert f"/machines/{running.uuid}/power/force-off/" in activity

    def test_waits_without_a_worker_until_the_machine_is_seen_to_be_off(
        self, running: Domain, cast: Cast, lab_host: LabHost
    ) -> None:
        operation = carry_out(power(verb=PowerVerb.SHUTDOWN, domain=running, actor=cast.operator).pk)
        assert (operation.state, operation.lease_until) == (OperationState.QUEUED, None)
        assert operation.not_before is not None

        lab_host.virsh("destroy", "power1")
        seen(running)

        woken = Operation.objects.filter(pk=operation.pk, not_before=None)
        assert woken.exists(), "by who saw that it is off"
        assert carry_out(operation.pk).state == OperationState.SUCCEEDED

    def test_a_shutdown_that_is_cancelled_says_that_it_may_still_happen(
        self, running: Domain, cast: Cast
    ) -> None:
        operation = carry_out(power(verb=PowerVerb.SHUTDOWN, domain=running, actor=cast.operator).pk)
        cancel(operation=operation, actor=cast.operator)
        ended = carry_out(operation.pk)

        assert ended.state == OperationState.CANCELLED
        assert "may still do so" in ended.left_behind

    def test_what_is_so_already_counts_as_done(self, domain: Domain, cast: Cast, lab_host: LabHost) -> None:
        lab_host.virsh("start", "power1")  # the inventory still says that it is off

        assert self.do(PowerVerb.START, domain, cast) == "running"

    def test_a_machine_that_virsh_removed(self, domain: Domain, cast: Cast, lab_host: LabHost) -> None:
        lab_host.virsh("undefine", "power1")

        ended = carry_out(power(verb=PowerVerb.START, domain=domain, actor=cast.operator).pk)

        assert ended.state == OperationState.FAILED
        assert "not on its host any more" in ended.error
        domain.refresh_from_db()
        assert domain.gone_at is not None
        define_by_hand(lab_host, "power1")
