"""Machines over REST: the same rows and the same permissions as on the pages."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import ApiToken
from domains.models import Domain, DomainDisk, DomainNic, DomainState
from hosts.models import Host, HostState
from tests.conftest import Cast, browser_of

LIST = "/api/v1/domains"


@pytest.fixture
def domain(cast: Cast, host: Host) -> Domain:
    machine = Domain.objects.create(
        host=host,
        name="web1",
        team=cast.team,
        state=DomainState.RUNNING,
        vcpus=2,
        memory_mib=2048,
        tags=["prod"],
    )
    Domain.objects.create(host=host, name="db1", state=DomainState.OFF)
    DomainDisk.objects.create(domain=machine, target="vda", bus="virtio", device="disk", path="/pool/a.qcow2")
    DomainNic.objects.create(domain=machine, mac="52:54:00:00:00:01", kind="network", source="default")
    return machine


def items(client: Client, **query: Any) -> list[str]:
    return [item["name"] for item in client.get(LIST, query).json()["items"]]


class TestList:
    def test_says_all_a_program_needs(self, domain: Domain, operator: Client) -> None:
        answer = operator.get(LIST, {"q": "web"}).json()

        assert (answer["total"], answer["page"], answer["pages"]) == (1, 1, 1)
        item = answer["items"][0]
        assert item["uuid"] == str(domain.uuid)
        assert (item["state"], item["team"], item["tags"]) == ("running", "blue", ["prod"])
        assert item["host"] == {"uuid": str(domain.host.uuid), "name": "kvm1", "up": True}

    def test_says_that_a_host_is_down(self, domain: Domain, operator: Client) -> None:
        Host.objects.update(state=HostState.DOWN)

        assert operator.get(LIST).json()["items"][0]["host"]["up"] is False

    def test_a_person_sees_theirs(self, cast: Cast, domain: Domain) -> None:
        assert items(browser_of(cast.member)) == ["web1"]
        assert items(browser_of(cast.stranger)) == []
        assert items(browser_of(cast.auditor)) == ["db1", "web1"]

    def test_nobody_is_refused(self, domain: Domain) -> None:
        assert Client(headers={"x-forwarded-proto": "https"}).get(LIST).status_code == 401

    def test_a_token_is_a_person(self, cast: Cast, domain: Domain) -> None:
        token = ApiToken.fresh()
        ApiToken.objects.create(user=cast.member, name="t", digest=ApiToken.hash(token))

        client = Client(headers={"x-forwarded-proto": "https", "authorization": f"Bearer {token}"})

        assert items(client) == ["web1"]

    def test_filters_and_pages(self, domain: Domain, operator: Client) -> None:
        assert items(operator, state="off") == ["db1"]
        assert items(operator, sort="-name") == ["web1", "db1"]
        assert items(operator, host=str(uuid4())) == []
        assert items(operator, size=1, page=2) == ["web1"]

    @pytest.mark.parametrize(
        "wrong",
        [
            {"page": 0},
            {"page": "x"},
            {"size": 501},
            {"sort": "password"},
            {"state": "purple"},
            {"host": "x"},
            {"team": 0},
        ],
    )
    def test_what_makes_no_sense_is_said(self, operator: Client, wrong: dict[str, Any]) -> None:
        assert operator.get(LIST, wrong).status_code == 422

    def test_a_search_too_long_is_said(self, operator: Client) -> None:
        assert operator.get(LIST, {"q": "x" * 10_000}).status_code == 422

    def test_queries_do_not_grow(
        self, domain: Domain, operator: Client, django_assert_max_num_queries: Any
    ) -> None:
        with django_assert_max_num_queries(8) as few:
            operator.get(LIST)
        Domain.objects.bulk_create(
            [Domain(host=domain.host, name=f"m{i}", team=domain.team) for i in range(300)]
        )

        with django_assert_max_num_queries(len(few.captured_queries)):
            operator.get(LIST, {"size": 200})


class TestOne:
    def test_with_disks_and_cards(self, domain: Domain, operator: Client) -> None:
        answer = operator.get(f"{LIST}/{domain.uuid}").json()

        assert answer["name"] == "web1"
        assert answer["disks"][0]["path"] == "/pool/a.qcow2"
        assert answer["nics"][0]["mac"] == "52:54:00:00:00:01"
        assert answer["gone_at"] is None

    def test_does_not_exist_for_a_stranger(self, cast: Cast, domain: Domain) -> None:
        assert browser_of(cast.stranger).get(f"{LIST}/{domain.uuid}").status_code == 404
        assert browser_of(cast.stranger).get(f"{LIST}/{uuid4()}").status_code == 404

    def test_one_that_vanished_says_when(self, domain: Domain, operator: Client) -> None:
        Domain.objects.filter(pk=domain.pk).update(gone_at=timezone.now() - timedelta(minutes=1))

        assert operator.get(f"{LIST}/{domain.uuid}").json()["gone_at"] is not None
        assert "web1" not in items(operator)
