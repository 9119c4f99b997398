"""Search and palette: only what a person may see, and only commands they may give."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from domains.models import Domain, DomainState
from hosts.models import Host
from tests.conftest import Cast, browser_of


@pytest.fixture
def web(cast: Cast, host: Host) -> Domain:
    return Domain.objects.create(host=host, name="web-1", state=DomainState.OFF, team=cast.team)


def titles(client: Client, text: str) -> list[str]:
    answer = client.get("/search.json", {"q": text})
    return [result["title"] for result in answer.json()["results"]]


class TestPalette:
    def test_finds_machines_and_hosts(self, web: Domain, operator: Client) -> None:
        assert titles(operator, "WEB") == ["web-1"]
        assert titles(operator, "kvm") == ["kvm1"]
        assert titles(operator, "1 web") == ["web-1"]
        assert titles(operator, " ") == []

    def test_offers_commands_that_make_sense(self, web: Domain, operator: Client) -> None:
        assert titles(operator, "start web") == ["Start web-1"]
        assert titles(operator, "stop web") == []
        Domain.objects.update(state=DomainState.RUNNING)
        assert titles(operator, "stop web") == ["Shut down web-1"]
        assert titles(operator, "console web") == ["Console of web-1"]

    def test_a_commands_address_posts(self, web: Domain, operator: Client) -> None:
        result = operator.get("/search.json?q=start+web").json()["results"][0]

        assert result["post"] == reverse("domains:power", args=[web.uuid, "start"])
        assert result["url"] == ""

    def test_a_member_finds_the_teams_and_no_hosts(self, cast: Cast, web: Domain, host: Host) -> None:
        Domain.objects.create(host=host, name="web-2", state=DomainState.OFF)
        member = browser_of(cast.member)

        assert titles(member, "web") == ["web-1"]
        assert titles(member, "start web") == ["Start web-1"]
        assert titles(member, "kvm") == []

    def test_an_auditor_is_offered_no_commands(self, cast: Cast, web: Domain) -> None:
        auditor = browser_of(cast.auditor)

        assert titles(auditor, "web") == ["web-1"]
        assert titles(auditor, "start web") == []

    def test_a_stranger_finds_nothing(self, cast: Cast, web: Domain) -> None:
        stranger = browser_of(cast.stranger)

        assert titles(stranger, "web") == []
        assert "web-1" not in stranger.get("/search/?q=web").content.decode()

    @pytest.mark.parametrize("text", ["x" * 10_000, "%_'\"\\", "x\x00y", "a b c d e f g h"])
    def test_hostile_texts_are_only_texts(self, web: Domain, operator: Client, text: str) -> None:
        assert titles(operator, text) == []

    def test_costs_the_same_for_many(
        self, host: Host, operator: Client, django_assert_max_num_queries: DjangoAssertNumQueries
    ) -> None:
        Domain.objects.bulk_create(
            Domain(host=host, name=f"web{i}", state=DomainState.OFF) for i in range(200)
        )

        with django_assert_max_num_queries(6):
            assert len(titles(operator, "start web")) == 6


class TestPage:
    def test_shows_links_and_text_as_text(self, host: Host, operator: Client) -> None:
        Domain.objects.create(host=host, name="<b>x</b>", state=DomainState.OFF)

        page = operator.get("/search/?q=<b>").content.decode()

        assert "&lt;b&gt;x&lt;/b&gt;" in page
        assert "<b>" not in page

    def test_says_when_nothing_was_found(self, operator: Client) -> None:
        assert "Nothing has such a name" in operator.get("/search/?q=nowhere").content.decode()
