"""The first page: what it adds up, what it warns of, for whom, and what it costs."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from accounts.models import User
from dashboard.summary import overview
from domains.models import Domain, DomainState
from hosts.models import Host, HostState
from operations.models import Operation, OperationState
from storage.models import Pool
from tests.conftest import Cast, browser_of

GIB = 1024**3


def pool(host: Host, percent: int, **values: Any) -> Pool:
    given: dict[str, Any] = {
        "uuid": uuid.uuid4(),
        "name": "default",
        "kind": "dir",
        "state": "running",
        "capacity_bytes": 100 * GIB,
        "allocation_bytes": percent * GIB,
        "available_bytes": (100 - percent) * GIB,
    }
    return Pool.objects.create(host=host, **{**given, **values})


def operation(actor: User, state: OperationState, **values: Any) -> Operation:
    given: dict[str, Any] = {
        "kind": "domain.start",
        "title": "Start web1",
        "target_kind": "domain",
        "target_id": uuid.uuid4(),
        "target_name": "web1",
    }
    return Operation.objects.create(actor=actor, state=state, **{**given, **values})


class TestFigures:
    def test_count_hosts_that_are_up_and_name_the_others_first(self, cast: Cast, host: Host) -> None:
        dead = Host.objects.create(name="dead", state=HostState.DOWN, cpus=64, memory_mib=65536)
        Domain.objects.create(host=host, name="a", state=DomainState.RUNNING)
        Domain.objects.create(host=host, name="b", state=DomainState.OFF)
        Domain.objects.create(host=dead, name="c", state=DomainState.RUNNING)

        seen = overview(cast.operator)

        assert seen.machines == {"running": 2, "off": 1, "other": 0}
        assert [row.host.name for row in seen.hosts] == ["dead", "kvm1"]
        assert seen.capacity.memory_mib == 8192


class TestAttention:
    def titles(self, user: User) -> list[str]:
        return [item.title for item in overview(user).attention]

    def test_all_is_well(self, cast: Cast, host: Host) -> None:
        pool(host, 84)
        operation(cast.operator, OperationState.SUCCEEDED)

        assert self.titles(cast.operator) == []

    def test_a_host_down_a_pool_full_and_what_failed(self, cast: Cast, host: Host) -> None:
        Host.objects.create(name="dead", state=HostState.DOWN, error="no answer")
        Host.objects.create(name="false", state=HostState.BLOCKED, error="another host key")
        pool(host, 85)
        operation(cast.member, OperationState.FAILED, finished_at=timezone.now(), error="why")

        assert self.titles(cast.operator) == [
            "dead can't be reached",
            "false is blocked",
            "default on kvm1 is 85 % full",
            "Failed: Start web1",
        ]
        assert self.titles(cast.member) == ["Failed: Start web1"]
        assert self.titles(cast.stranger) == []

    def test_two_that_are_parked_are_never_pushed_out(self, cast: Cast, host: Host) -> None:
        Host.objects.bulk_create(Host(name=f"dead{n}", state=HostState.DOWN) for n in range(6))
        for n in range(3):
            operation(
                cast.member, OperationState.FAILED, finished_at=timezone.now(), parked=True, title=f"Move {n}"
            )
            operation(cast.member, OperationState.FAILED, finished_at=timezone.now())

        assert self.titles(cast.operator)[:3] == [
            "Parked: Move 2",
            "Parked: Move 1",
            "dead0 can't be reached",
        ]
        assert self.titles(cast.member)[:3] == ["Parked: Move 2", "Parked: Move 1", "Failed: Start web1"]

    def test_one_that_a_person_cancelled_and_that_is_parked(self, cast: Cast) -> None:
        operation(
            cast.member,
            OperationState.CANCELLED,
            finished_at=timezone.now(),
            parked=True,
            left_behind="a disk",
        )
        operation(cast.member, OperationState.CANCELLED, finished_at=timezone.now())

        (alert,) = overview(cast.operator).attention
        assert (alert.level, alert.title, alert.words) == ("error", "Parked: Start web1", "a disk")


class TestPage:
    @pytest.mark.parametrize("name", ["superuser", "operator", "auditor", "lead", "member", "stranger"])
    def test_is_for_everybody(self, cast: Cast, host: Host, name: str) -> None:
        page = browser_of(cast.people()[name]).get("/").content.decode()

        assert ("kvm1" in page) == (name in ("superuser", "operator", "auditor"))
        assert ("New virtual machine" in page) == (name in ("superuser", "operator"))

    def test_shows_somebody_without_hosts_their_machines(self, cast: Cast, host: Host) -> None:
        Domain.objects.create(host=host, name="aaa-off", state=DomainState.OFF, team=cast.team)
        Domain.objects.create(host=host, name="bbb-runs", state=DomainState.RUNNING, owner=cast.member)
        Domain.objects.create(host=host, name="not-theirs", state=DomainState.RUNNING)

        page = browser_of(cast.member).get("/").content.decode()

        assert page.index("bbb-runs") < page.index("aaa-off")
        assert "not-theirs" not in page
        assert "No virtual machine is yours yet" in browser_of(cast.stranger).get("/").content.decode()

    def test_for_htmx_is_the_middle_alone(self, host: Host, operator: Client) -> None:
        answer = operator.get("/", headers={"hx-request": "true"})

        assert answer.content.strip().startswith(b'<div id="overview"')

    def test_costs_the_same_for_many(
        self, cast: Cast, operator: Client, django_assert_max_num_queries: DjangoAssertNumQueries
    ) -> None:
        hosts = Host.objects.bulk_create(Host(name=f"h{i}", state=HostState.UP, cpus=8) for i in range(30))
        for host in hosts:
            pool(host, 90)
        Domain.objects.bulk_create(
            Domain(host=hosts[i % 30], name=f"m{i}", state=DomainState.RUNNING, vcpus=1) for i in range(300)
        )
        for _ in range(9):
            operation(cast.operator, OperationState.RUNNING)

        with django_assert_max_num_queries(12):
            assert operator.get("/").status_code == 200


class TestOnHost:
    def test_shows_what_lies_on_it(self, host: Host, operator: Client) -> None:
        Domain.objects.create(host=host, name="<b>web</b>", state=DomainState.RUNNING)
        pool(host, 12)

        page = operator.get(f"/on-host/{host.uuid}/").content.decode()

        assert "&lt;b&gt;web&lt;/b&gt;" in page
        assert "default" in page
        assert "12 %" in page
