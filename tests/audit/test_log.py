"""The audit log: who reads it, what filters find, and that a change to it is noticed."""

from __future__ import annotations

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

import audit
from audit.models import Entry
from hosts.models import Host
from tests.conftest import Cast, browser_of


@pytest.fixture
def auditor(cast: Cast) -> Client:
    client = browser_of(cast.auditor)
    Entry.objects.get_queryset().delete()  # the auditor's own sign-in
    return client


class TestWho:
    @pytest.mark.parametrize(
        ("name", "status"),
        [
            ("superuser", 200),
            ("auditor", 200),
            ("operator", 403),
            ("lead", 403),
            ("member", 403),
            ("stranger", 403),
        ],
    )
    def test_reads_it(self, cast: Cast, name: str, status: int) -> None:
        client = browser_of(cast.people()[name])

        assert client.get("/audit/").status_code == status
        assert client.get("/api/v1/audit").status_code == status
        assert client.post("/audit/verify").status_code == (302 if status == 200 else 403)


class TestPage:
    def test_shows_what_was_done_as_text(self, cast: Cast, host: Host, auditor: Client) -> None:
        audit.record(cast.operator, "domain.start", label="<script>", reason="<b>")

        page = auditor.get("/audit/").content.decode()

        assert "&lt;script&gt;" in page
        assert "reason: &lt;b&gt;" in page
        assert "<script>" not in page.split("<tbody>")[1].split("</tbody>")[0]

    def test_filters_combine(self, cast: Cast, host: Host, auditor: Client) -> None:
        audit.record(cast.operator, "domain.start", label="web1")
        audit.record(cast.operator, "host.maintenance", target=host)
        audit.record(cast.member, "domain.start", label="web2")

        def targets(query: str) -> list[str]:
            return [row["target_name"] for row in auditor.get("/api/v1/audit" + query).json()]

        assert targets("") == ["web2", "kvm1", "web1"]
        assert targets("?who=Operator") == ["kvm1", "web1"]
        assert targets("?verb=domain.&target=WEB1") == ["web1"]
        assert targets(f"?target={host.uuid}") == ["kvm1"]

    def test_pages_meet_without_gap_or_overlap(self, cast: Cast, auditor: Client) -> None:
        for number in range(7):
            audit.record(cast.operator, "x", label=str(number))
        seen: list[str] = []
        before = 0
        for _ in range(3):
            rows = auditor.get(f"/api/v1/audit?limit=3&before={before}").json()
            seen += [row["target_name"] for row in rows]
            before = rows[-1]["id"]

        assert seen == ["6", "5", "4", "3", "2", "1", "0"]

    def test_leads_to_older_rows(self, cast: Cast, auditor: Client) -> None:
        for number in range(101):
            audit.record(cast.operator, "x", label=f"row-{number:03}")

        first = auditor.get("/audit/?verb=x")
        older = first.context["page"].older

        assert "row-000" not in first.content.decode()
        assert "verb=x" in older
        assert "row-000" in auditor.get("/audit/" + older).content.decode()

    @pytest.mark.parametrize(
        "query", ["?before=-1", "?before=" + "9" * 30, "?before=²", "?who=%00", "?target=%25"]
    )
    def test_hostile_addresses_are_only_addresses(self, auditor: Client, query: str) -> None:
        assert auditor.get("/audit/" + query).status_code == 200

    def test_costs_the_same_for_many(
        self, cast: Cast, auditor: Client, django_assert_max_num_queries: DjangoAssertNumQueries
    ) -> None:
        for _ in range(120):
            audit.record(cast.operator, "x")

        with django_assert_max_num_queries(5):
            auditor.get("/audit/")


class TestChain:
    def verdict(self, client: Client) -> str:
        return client.post("/audit/verify", follow=True).content.decode()

    def test_is_whole(self, cast: Cast, auditor: Client) -> None:
        for number in range(3):
            audit.record(cast.operator, "x", number=number)

        assert "The log is whole" in self.verdict(auditor)

    @pytest.mark.parametrize("column", ["actor_name", "verb", "target_name"])
    def test_a_changed_row_is_named(self, cast: Cast, auditor: Client, column: str) -> None:
        rows = [audit.record(cast.operator, "x") for _ in range(3)]
        Entry.objects.filter(pk=rows[1].pk).update(**{column: "forged"})

        assert f"Row {rows[1].pk} does not follow" in self.verdict(auditor)

    def test_a_row_taken_out_is_noticed(self, cast: Cast, auditor: Client) -> None:
        rows = [audit.record(cast.operator, "x") for _ in range(3)]
        Entry.objects.filter(pk=rows[1].pk).delete()

        assert f"Row {rows[2].pk} does not follow" in self.verdict(auditor)

    def test_refuses_get(self, auditor: Client) -> None:
        assert auditor.get("/audit/verify").status_code == 405
