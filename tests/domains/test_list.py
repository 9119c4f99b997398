"""The list of machines: who sees which, what filters find, what hostile addresses do, and what it costs."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import Team
from domains.live import table
from domains.models import Domain, DomainNic, DomainState
from hosts.models import Host, HostState
from tests.conftest import Cast, browser_of

LIST = "/machines/"


def machine(host: Host, name: str, **values: Any) -> Domain:
    given = {"state": DomainState.RUNNING, "vcpus": 2, "memory_mib": 2048, "seen_at": timezone.now()}
    return Domain.objects.create(host=host, name=name, **{**given, **values})


def many(host: Host, count: int, **values: Any) -> None:
    Domain.objects.bulk_create(
        [Domain(host=host, name=f"m{i:05}", state=DomainState.OFF, **values) for i in range(count)],
        batch_size=500,
    )


def names(client: Client, query: str = "") -> list[str]:
    page = client.get(LIST + query).content.decode()
    return re.findall(r'class="row-link"[^>]*>([^<]*)<', page)


class TestWhoSeesWhich:
    def test_an_operator_sees_all(self, cast: Cast, host: Host, operator: Client) -> None:
        machine(host, "mine", team=cast.team)
        machine(host, "nobodys")

        assert names(operator) == ["mine", "nobodys"]

    def test_a_member_sees_the_teams_and_their_own(self, cast: Cast, host: Host) -> None:
        machine(host, "own", owner=cast.member)
        machine(host, "teams", team=cast.team)
        machine(host, "others", team=Team.objects.create(name="red"))
        machine(host, "nobodys")

        assert names(browser_of(cast.member)) == ["own", "teams"]

    def test_a_stranger_sees_none_and_is_told_why(self, cast: Cast, host: Host) -> None:
        machine(host, "teams", team=cast.team)

        page = browser_of(cast.stranger).get(LIST)

        assert "teams" not in page.content.decode()
        assert "None belongs to you" in page.content.decode()

    def test_nobody_is_sent_to_sign_in(self, db: None) -> None:
        answer = Client(headers={"x-forwarded-proto": "https"}).get(LIST)

        assert answer.status_code == 302
        assert answer.headers["Location"].startswith("/account/sign-in")

    def test_a_member_learns_of_no_host_but_their_machines(self, cast: Cast, host: Host) -> None:
        machine(host, "teams", team=cast.team)
        Host.objects.create(name="secret-host")

        page = browser_of(cast.member).get(LIST).content.decode()

        assert "kvm1" in page
        assert "secret-host" not in page
        assert "/hosts/" not in page

    def test_only_who_may_gets_a_console_button(self, cast: Cast, host: Host) -> None:
        machine(host, "teams", team=cast.team, has_screen=True)

        def has_button(person: Any) -> bool:
            return "Console of teams" in browser_of(person).get(LIST).content.decode()

        assert has_button(cast.operator)
        assert has_button(cast.member)
        assert not has_button(cast.auditor)

    def test_those_that_vanished_are_not_listed(self, host: Host, operator: Client) -> None:
        machine(host, "gone", gone_at=timezone.now())
        machine(Host.objects.create(name="removed", gone_at=timezone.now()), "orphan")
        machine(host, "here")

        assert names(operator) == ["here"]


class TestFilters:
    @pytest.fixture(autouse=True)
    def machines(self, cast: Cast, host: Host) -> None:
        other = Host.objects.create(name="attic", state=HostState.UP)
        web = machine(host, "web-1", team=cast.team, tags=["prod"])
        machine(host, "web-2", state=DomainState.OFF, memory_mib=512)
        machine(other, "db-1", team=cast.team, vcpus=8)
        machine(other, "db-2", state=DomainState.OFF)
        DomainNic.objects.create(domain=web, mac="52:54:00:ab:cd:ef", kind="network")

    @pytest.mark.parametrize(
        ("search", "found"),
        [
            ("web", ["web-1", "web-2"]),
            ("WEB", ["web-1", "web-2"]),
            ("attic", ["db-1", "db-2"]),
            ("web kvm1", ["web-1", "web-2"]),
            ("web attic", []),
            ("prod", ["web-1"]),
            ("52:54:00:AB:cd", ["web-1"]),
            ("%", []),
            ("_", []),
            ("'; DROP TABLE domains_domain; --", []),
        ],
    )
    def test_search_finds_each_word(self, operator: Client, search: str, found: list[str]) -> None:
        assert names(operator, f"?q={search.replace('%', '%25').replace(';', '%3B')}") == found

    def test_search_finds_the_start_of_a_uuid(self, operator: Client) -> None:
        uuid = str(Domain.objects.get(name="db-2").uuid)

        assert names(operator, f"?q={uuid}") == ["db-2"]
        assert names(operator, f"?q={uuid[:13].upper()}") == ["db-2"]

    def test_filters_combine(self, cast: Cast, operator: Client) -> None:
        attic = Host.objects.get(name="attic").uuid

        assert names(operator, "?state=off") == ["db-2", "web-2"]
        assert names(operator, f"?host={attic}&state=off") == ["db-2"]
        assert names(operator, f"?host={attic}&team={cast.team.pk}") == ["db-1"]
        assert names(operator, f"?host={attic}&team={cast.team.pk}&state=off") == []

    def test_no_match_offers_to_clear_the_filters(self, operator: Client) -> None:
        page = operator.get(LIST, {"q": "nothing"}).content.decode()

        assert "No virtual machine matches" in page
        assert "Clear filters" in page

    @pytest.mark.parametrize(
        ("sort", "found"),
        [
            ("-name", ["web-2", "web-1", "db-2", "db-1"]),
            ("host", ["db-1", "db-2", "web-1", "web-2"]),
            ("-vcpus", ["db-1", "web-2", "web-1", "db-2"]),
            ("memory", ["web-2", "db-1", "db-2", "web-1"]),
            ("team", ["db-1", "web-1", "db-2", "web-2"]),
            ("-team", ["web-1", "db-1", "web-2", "db-2"]),
        ],
    )
    def test_sorts_by_a_column(self, operator: Client, sort: str, found: list[str]) -> None:
        assert names(operator, f"?sort={sort}") == found

    @pytest.mark.parametrize(
        "query",
        [
            "page=-1",
            "page=0",
            "page=999999999999999999999",
            "page=x",
            "page=%00",
            "sort=password",
            "sort=--name",
            "sort=host__name",
            "state=purple",
            "host=../x",
            "team=0",
            "team=9999999999999",
            "team=%D9%A3",
            "q=%00",
            "nothing=known",
        ],
    )
    def test_what_makes_no_sense_is_not_asked_for(self, operator: Client, query: str) -> None:
        assert names(operator, f"?{query}") == ["db-1", "db-2", "web-1", "web-2"]

    def test_a_search_of_ten_kilobytes_is_answered(self, operator: Client) -> None:
        page = operator.get(LIST, {"q": "x " * 5000})

        assert page.status_code == 200
        assert len(page.content) < 60_000


class TestMarkup:
    def test_names_and_tags_are_text(self, host: Host, operator: Client) -> None:
        machine(host, "<script>alert(1)</script>", tags=["<img src=x>"])

        page = operator.get(LIST, {"q": "<script>"}).content.decode()

        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
        assert "<script>alert" not in page
        assert "<img src=x>" not in page


class TestPaging:
    def test_fifty_rows_a_page(self, host: Host, operator: Client) -> None:
        many(host, 1000)

        first, last = operator.get(LIST).content.decode(), operator.get(LIST, {"page": 20}).content.decode()

        assert len(names(operator)) == 50
        assert "1–50 of 1,000" in first
        assert "951–1,000 of 1,000" in last
        assert 'rel="next"' not in last

    def test_a_page_past_the_end_is_the_last(self, host: Host, operator: Client) -> None:
        many(host, 51)

        assert names(operator, "?page=7") == ["m00050"]


class TestDeadHost:
    def test_its_machines_are_shown_as_old(self, host: Host, operator: Client) -> None:
        Host.objects.filter(pk=host.pk).update(state=HostState.DOWN)
        machine(host, "web", has_screen=True, seen_at=timezone.now() - timedelta(hours=3))

        page = operator.get(LIST).content.decode()

        assert "as of" in page
        assert "3 h ago" in page
        assert "Unreachable" in page
        assert "state-green" not in page
        assert "Console of web" not in page


class TestInPlace:
    HTMX = {"HX-Request": "true", "HX-Target": "machines"}

    def test_htmx_gets_the_table_and_the_address_to_show(self, host: Host, operator: Client) -> None:
        machine(host, "web")

        answer = operator.get(LIST, {"q": "web", "host": "", "page": "1"}, headers=self.HTMX)

        assert answer.content.decode().lstrip().startswith('<div id="machines"')
        assert answer.headers["HX-Push-Url"] == "/machines/?q=web"
        assert "HX-Request" in answer.headers["Vary"]

    def test_a_live_refresh_goes_nowhere(self, operator: Client) -> None:
        answer = operator.get(LIST, headers={**self.HTMX, "HX-Trigger": "machines-live"})

        assert "HX-Push-Url" not in answer.headers

    def test_the_list_is_told_only_that_it_changed(self, cast: Cast) -> None:
        assert table(cast.member, "all") == ""
        assert table(cast.member, "x") is None


class TestCost:
    @pytest.mark.parametrize("person", ["operator", "member"])
    def test_queries_do_not_grow(
        self, cast: Cast, host: Host, person: str, django_assert_max_num_queries: Any
    ) -> None:
        client = browser_of(getattr(cast, person))
        many(host, 3, team=cast.team)
        with django_assert_max_num_queries(10) as few:
            client.get(LIST)
        many(Host.objects.create(name="kvm2"), 200, team=cast.team, owner=cast.lead)

        with django_assert_max_num_queries(len(few.captured_queries)):
            client.get(LIST)
