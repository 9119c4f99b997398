"""Hosts: list, page, maintenance, REST; who sees them, and what they cost."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from audit.models import Entry
from hosts.models import Host, HostState
from tests.conftest import Cast, browser_of, program_of


def down(name: str = "kvm2", **values: Any) -> Host:
    given: dict[str, Any] = {
        "state": HostState.DOWN,
        "error": "The daemon <b>does not answer</b>.",
        "seen_at": timezone.now() - timedelta(minutes=14),
    }
    return Host.objects.create(name=name, **{**given, **values})


class TestWho:
    @pytest.mark.parametrize("name", ["superuser", "operator", "auditor"])
    def test_sees_hosts(self, cast: Cast, host: Host, name: str) -> None:
        client = browser_of(cast.people()[name])

        assert "kvm1" in client.get("/hosts/").content.decode()
        assert client.get(f"/hosts/{host.uuid}/").status_code == 200

    @pytest.mark.parametrize("name", ["lead", "member", "stranger"])
    def test_does_not(self, cast: Cast, host: Host, name: str) -> None:
        client = browser_of(cast.people()[name])

        assert client.get("/hosts/").status_code == 403
        assert client.get(f"/hosts/{host.uuid}/").status_code == 404
        assert client.get(f"/api/v1/hosts/{host.uuid}").status_code == 404
        assert client.get(f"/on-host/{host.uuid}/").status_code == 404

    def test_an_auditor_has_no_buttons(self, cast: Cast, host: Host) -> None:
        page = browser_of(cast.auditor).get(f"/hosts/{host.uuid}/").content.decode()

        assert "maintenance" not in page

    def test_a_removed_host_is_not_there(self, host: Host, operator: Client) -> None:
        Host.objects.update(gone_at=timezone.now())

        assert operator.get(f"/hosts/{host.uuid}/").status_code == 404
        assert "kvm1" not in operator.get("/hosts/").content.decode()


class TestList:
    def test_filters_combine(self, host: Host, operator: Client) -> None:
        down("kvm2")
        down("other")

        page = operator.get("/hosts/?q=kvm&state=down").content.decode()

        assert "kvm2" in page
        assert "kvm1" not in page
        assert "other" not in page

    @pytest.mark.parametrize(
        "query",
        ["?page=-1", "?page=9999999999999", "?page=x", "?state=%00", "?q=" + "x" * 10_000, "?q=%25_'\""],
    )
    def test_hostile_addresses_are_only_addresses(self, host: Host, operator: Client, query: str) -> None:
        assert operator.get("/hosts/" + query).status_code == 200

    def test_htmx_gets_the_table_alone(self, host: Host, operator: Client) -> None:
        answer = operator.get("/hosts/", headers={"hx-request": "true"})

        assert answer.content.strip().startswith(b'<div id="hosts">')
        assert "HX-Request" in answer.headers["Vary"]

    def test_without_hosts_it_says_what_to_do(self, operator: Client) -> None:
        assert "Add a host" in operator.get("/hosts/").content.decode()

    def test_costs_the_same_for_many(
        self, operator: Client, django_assert_max_num_queries: DjangoAssertNumQueries
    ) -> None:
        Host.objects.bulk_create(Host(name=f"h{i:03}") for i in range(120))

        with django_assert_max_num_queries(6):
            operator.get("/hosts/?page=2")


class TestPage:
    @pytest.mark.parametrize(
        ("reason", "virtualized_by", "words"),
        [
            ("no-cpu-support", "", "SVM Mode"),
            ("no-cpu-support-in-guest", "VMware", "Virtualize Intel VT-x/EPT or AMD-V/RVI"),
            ("no-cpu-support-in-guest", "KVM", "kvm_intel nested=1"),
            ("no-cpu-support-in-guest", "Hyper-V", "ExposeVirtualizationExtensions"),
            ("no-cpu-support-in-guest", "another hypervisor", "nested virtualization"),
            ("kvm-not-offered", "", "modprobe kvm_intel"),
        ],
    )
    def test_says_how_to_enable_kvm(
        self, host: Host, operator: Client, reason: str, virtualized_by: str, words: str
    ) -> None:
        Host.objects.update(kvm=False, kvm_reason=reason, virtualized_by=virtualized_by)

        page = operator.get(f"/hosts/{host.uuid}/").content.decode()

        assert words in page
        assert "emulated" in page

    def test_says_why_kvm_is_on(self, host: Host, operator: Client) -> None:
        Host.objects.update(kvm=True, kvm_reason="kvm-ready", cpu_virtualization="svm")

        page = operator.get(f"/hosts/{host.uuid}/").content.decode()

        assert "The CPU has svm and libvirt offers KVM." in page
        assert "emulated" not in page

    def test_of_a_host_that_is_down_says_why_and_since_when(self, operator: Client) -> None:
        page = operator.get(f"/hosts/{down().uuid}/").content.decode()

        assert "The daemon &lt;b&gt;does not answer&lt;/b&gt;." in page
        assert "14 min ago" in page

    def test_of_a_host_never_seen(self, operator: Client) -> None:
        fresh = Host.objects.create(name="new")

        assert "was not seen yet" in operator.get(f"/hosts/{fresh.uuid}/").content.decode()


class TestMaintenance:
    def test_begins_and_ends(self, cast: Cast, host: Host, operator: Client) -> None:
        path = f"/hosts/{host.uuid}/maintenance"

        operator.post(path, {"on": "yes"})
        assert "In maintenance" in operator.get(f"/hosts/{host.uuid}/").content.decode()

        operator.post(path, {"on": "no"})
        assert "In maintenance" not in operator.get(f"/hosts/{host.uuid}/").content.decode()
        rows = Entry.objects.filter(verb="host.maintenance").order_by("pk")
        assert [row.details for row in rows] == [{"on": True}, {"on": False}]

    @pytest.mark.parametrize("name", ["auditor", "lead", "stranger"])
    def test_is_not_everybodys(self, cast: Cast, host: Host, name: str) -> None:
        client = browser_of(cast.people()[name])

        assert client.post(f"/hosts/{host.uuid}/maintenance", {"on": "yes"}).status_code == 404
        host.refresh_from_db()
        assert not host.maintenance

    def test_refuses_get(self, host: Host, operator: Client) -> None:
        assert operator.get(f"/hosts/{host.uuid}/maintenance").status_code == 405


class TestRest:
    def test_lists_and_gives_one(self, host: Host, operator: Client) -> None:
        listed = operator.get("/api/v1/hosts?limit=1").json()

        assert listed["count"] == 1
        assert listed["items"][0] == operator.get(f"/api/v1/hosts/{host.uuid}").json()

    def test_sets_maintenance(self, cast: Cast, host: Host) -> None:
        path = f"/api/v1/hosts/{host.uuid}/maintenance"

        assert (
            program_of(cast.operator).put(path, {"on": True}, "application/json").json()["maintenance"]
            is True
        )

    def test_an_auditor_reads_only(self, cast: Cast, host: Host) -> None:
        client = program_of(cast.auditor)
        path = f"/api/v1/hosts/{host.uuid}/maintenance"

        assert client.get("/api/v1/hosts").status_code == 200
        assert client.put(path, {"on": True}, "application/json").status_code == 403
