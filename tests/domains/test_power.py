"""Every power verb in every state: allowed, or refused with the reason; and what the real host makes of it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from core.errors import Conflict, Forbidden, TargetBusy
from domains.actions.power import power
from domains.models import Domain, DomainState
from domains.power import PowerVerb
from hosts.models import Host
from operations.models import Operation, OperationState
from tests.conftest import Cast, browser_of
from tests.domains.test_create import define_by_hand
from tests.lab.host import LabHost
from tests.stage import carry_out

OFFERED = {
    PowerVerb.START: {"off", "crashed", "suspended"},
    PowerVerb.SHUTDOWN: {"running"},
    PowerVerb.REBOOT: {"running"},
    PowerVerb.RESET: {"running", "paused"},
    PowerVerb.FORCE_OFF: {"running", "paused", "shutting-down", "crashed"},
    PowerVerb.SUSPEND: {"running"},
    PowerVerb.RESUME: {"paused", "suspended"},
}


@pytest.mark.django_db
class TestTable:
    @pytest.mark.parametrize("verb", list(PowerVerb))
    @pytest.mark.parametrize("state", list(DomainState))
    def test_each_verb_in_each_state(
        self, cast: Cast, host: Host, verb: PowerVerb, state: DomainState
    ) -> None:
        domain = Domain.objects.create(host=host, name="web1", state=state)

        if state.value in OFFERED[verb]:
            assert power(verb=verb, domain=domain, actor=cast.operator).kind == f"domain.{verb}"
        else:
            with pytest.raises(Conflict, match="makes no sense now"):
                power(verb=verb, domain=domain, actor=cast.operator)
            assert not Operation.objects.exists()

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
        lab_host.virsh("undefine", "power1")

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
        assert self.do(PowerVerb.SHUTDOWN, domain, cast) in ("running", "off")
        assert self.do(PowerVerb.FORCE_OFF, domain, cast) == "off"

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
