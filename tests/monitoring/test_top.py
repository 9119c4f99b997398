"""The top table: who stands where, for whom, over pages and REST; and the bars on other pages."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from domains.models import Domain, DomainState
from hosts.models import Host, HostState
from monitoring.listing import SORTS, Wanted, find
from monitoring.models import Usage
from tests.conftest import Cast, browser_of, program_of


def measured(host: Host, name: str, *, ago_s: float = 0, owner: Any = None, **columns: Any) -> Domain:
    """A machine that runs and was measured."""
    domain = Domain.objects.create(
        host=host, name=name, state=DomainState.RUNNING, vcpus=2, memory_mib=2048, owner=owner
    )
    numbers = {
        field.name: 0
        for field in Usage._meta.concrete_fields
        if field.name not in ("domain", "host", "sampled_at")
    }
    at = timezone.now() - timedelta(seconds=ago_s)
    Usage.objects.create(domain=domain, host=host, sampled_at=at, **numbers | columns)
    return domain


def names(cast: Cast, **wanted: Any) -> list[str]:
    return [row.domain.name for row in find(cast.operator, Wanted(**wanted)).rows]


class TestOrder:
    @pytest.mark.parametrize(
        ("sort", "column"),
        [(key, path.removeprefix("usage__")) for key, path in SORTS.items() if path.startswith("usage__")],
    )
    def test_by_each_number(self, cast: Cast, host: Host, sort: str, column: str) -> None:
        measured(host, "little", **{column: 1})
        measured(host, "much", **{column: 2})

        assert names(cast, sort=f"-{sort}") == ["much", "little"]
        assert names(cast, sort=sort) == ["little", "much"]

    def test_by_name_and_host(self, cast: Cast, host: Host) -> None:
        measured(host, "b")
        measured(Host.objects.create(name="aaa", state=HostState.UP), "c")

        assert names(cast, sort="name") == ["b", "c"]
        assert names(cast, sort="host") == ["c", "b"]

    def test_of_equals_is_that_of_their_names(self, cast: Cast, host: Host) -> None:
        for name in "cab":
            measured(host, name)

        assert names(cast) == names(cast, sort="cpu") == ["a", "b", "c"]

    def test_has_those_last_that_were_not_measured(self, cast: Cast, host: Host) -> None:
        Domain.objects.create(host=host, name="new", state=DomainState.RUNNING)
        measured(host, "known")

        assert names(cast, sort="cpu") == names(cast) == ["known", "new"]

    @pytest.mark.parametrize("sort", ["cpu", "-cpu"])
    def test_has_what_is_old_behind_what_is_known_of_now(self, cast: Cast, host: Host, sort: str) -> None:
        down = Host.objects.create(name="kvm2", state=HostState.DOWN)
        measured(down, "unreachable", cpu_percent=50)
        measured(host, "late", ago_s=60, cpu_percent=50)
        measured(host, "idle")
        measured(host, "busy", cpu_percent=99)

        assert set(names(cast, sort=sort)[:2]) == {"idle", "busy"}


class TestRows:
    def test_are_the_machines_that_are_on(self, cast: Cast, host: Host) -> None:
        measured(host, "on")
        Domain.objects.filter(pk=measured(host, "off").pk).update(state=DomainState.OFF)
        Domain.objects.filter(pk=measured(host, "gone").pk).update(gone_at=timezone.now())

        assert names(cast) == ["on"]

    def test_are_narrowed_by_words_and_host(self, cast: Cast, host: Host) -> None:
        other = Host.objects.create(name="kvm2", state=HostState.UP)
        measured(host, "web1")
        measured(other, "web2")

        assert names(cast, search="web2") == names(cast, search="kvm2") == names(cast, host=other.uuid)

    def test_say_what_is_old(self, cast: Cast, host: Host) -> None:
        down = Host.objects.create(name="kvm2", state=HostState.DOWN)
        measured(host, "fresh")
        measured(host, "late", ago_s=60)
        measured(down, "unreachable")

        old = {row.domain.name: row.old for row in find(cast.operator, Wanted()).rows}

        assert old == {"fresh": False, "late": True, "unreachable": True}

    @pytest.mark.parametrize(
        ("who", "seen"),
        [("superuser", 2), ("operator", 2), ("auditor", 2), ("lead", 1), ("member", 0), ("stranger", 0)],
    )
    def test_are_those_that_one_may_see(self, cast: Cast, host: Host, who: str, seen: int) -> None:
        measured(host, "theirs", owner=cast.lead)
        measured(host, "nobody's")

        assert find(cast.people()[who], Wanted()).total == seen


class TestPage:
    def test_shows_the_numbers(self, operator: Client, host: Host) -> None:
        measured(host, "<b>web</b>", cpu_percent=12.34, memory_percent=50, read_bytes=1536, cpu_time_s=75)

        page = operator.get("/top/").content.decode()

        assert "&lt;b&gt;web&lt;/b&gt;" in page
        for words in ("12.3 %", "50 %", "1.5 KiB/s", "1 min 15 s"):
            assert words in page

    def test_is_sorted_by_a_click_and_back(self, operator: Client, host: Host) -> None:
        measured(host, "web")

        page = operator.get("/top/").content.decode()

        assert 'href="/top/?sort=cpu"' in page  # it is sorted by it, most first: once more turns it round
        assert 'href="/top/?sort=-memory"' in page
        assert 'aria-sort="descending"' in page

    def test_for_htmx_is_the_table_alone(self, operator: Client, host: Host) -> None:
        answer = operator.get("/top/?page=9&sort=-rx", headers={"hx-request": "true"})

        assert answer.content.strip().startswith(b'<div id="top"')
        assert answer["HX-Push-Url"] == "/top/?sort=-rx"

    def test_renewed_by_itself_leaves_the_address_alone(self, operator: Client, host: Host) -> None:
        answer = operator.get("/top/", headers={"hx-request": "true", "hx-trigger": "top-live"})

        assert "HX-Push-Url" not in answer

    def test_teaches_where_nothing_runs(self, operator: Client, host: Host) -> None:
        assert "Nothing runs" in operator.get("/top/").content.decode()
        assert "No running virtual machine matches" in operator.get("/top/?q=x").content.decode()


class TestRest:
    def test_says_the_same(self, cast: Cast, host: Host) -> None:
        measured(host, "idle")
        measured(host, "busy", cpu_percent=90, tx_bytes=5)
        Domain.objects.create(host=host, name="new", state=DomainState.PAUSED)

        answer = program_of(cast.operator).get("/api/v1/top").json()

        assert [row["name"] for row in answer["items"]] == ["busy", "idle", "new"]
        assert (answer["items"][0]["usage"]["cpu_percent"], answer["items"][0]["usage"]["tx_bytes"]) == (
            90,
            5,
        )
        assert (answer["items"][2]["usage"], answer["total"]) == (None, 3)

    def test_sorts_and_pages(self, cast: Cast, host: Host) -> None:
        for name in "abc":
            measured(host, name)

        answer = program_of(cast.operator).get("/api/v1/top?sort=-name&size=2&page=2").json()

        assert ([row["name"] for row in answer["items"]], answer["pages"]) == (["a"], 2)

    def test_refuses_another_order(self, cast: Cast, host: Host) -> None:
        assert program_of(cast.operator).get("/api/v1/top?sort=password").status_code == 422


class TestElsewhere:
    def test_the_list_has_bars(self, operator: Client, host: Host) -> None:
        measured(host, "web", cpu_percent=37)
        measured(host, "late", ago_s=60, cpu_percent=38)

        page = operator.get("/machines/").content.decode()

        assert 'value="37"' in page
        assert 'value="38"' not in page

    def test_the_page_of_a_machine_has_its_numbers(self, cast: Cast, host: Host) -> None:
        domain = measured(host, "web", owner=cast.lead, memory_mib=512, rx_bytes=2048)

        for address in (f"/machines/{domain.uuid}/", f"/machines/{domain.uuid}/usage/"):
            page = browser_of(cast.lead).get(address).content.decode()
            assert "512 MiB of 2 GiB" in page
            assert "2 KiB/s received" in page

    def test_a_machine_that_is_off_shows_none(self, operator: Client, host: Host) -> None:
        domain = measured(host, "web", rx_bytes=2048)
        Domain.objects.filter(pk=domain.pk).update(state=DomainState.OFF)

        assert "received" not in operator.get(f"/machines/{domain.uuid}/usage/").content.decode()
