"""The tab on which a definition is read, and what it says of changes from beside the panel."""

from __future__ import annotations

import re
from html import unescape

import pytest
from django.core.cache import cache
from django.utils.html import strip_tags

from audit.models import Entry
from core import live
from domains import running
from domains.models import Domain, DomainState
from hosts.models import Host
from tests.conftest import Cast, browser_of, program_of
from tests.domains.history import changed_beside, definition, draft_of, seen


@pytest.fixture
def domain(cast: Cast, host: Host) -> Domain:
    made = Domain.objects.create(
        host=host, name="web1", team=cast.team, owner=cast.lead, state=DomainState.OFF
    )
    changed_beside(made)
    return made


def words(page: str) -> str:
    return re.sub(r"\s+", " ", unescape(strip_tags(page)))


class TestReading:
    @pytest.mark.parametrize("person", ["lead", "member", "stranger"])
    def test_does_not_exist_for_who_does_not_run_the_host(
        self, cast: Cast, domain: Domain, person: str
    ) -> None:
        browser = browser_of(cast.people()[person])
        pages = ("", "running/", "1/", "2/")
        answers = [browser.get(f"/machines/{domain.uuid}/definition/{page}").status_code for page in pages]
        assert answers == [404] * 4

    def test_only_who_may_read_it_has_the_tab(self, cast: Cast, domain: Domain) -> None:
        tab = f"/machines/{domain.uuid}/definition/"
        assert tab in browser_of(cast.auditor).get(f"/machines/{domain.uuid}/").content.decode()
        assert f'href="{tab}"' not in browser_of(cast.lead).get(f"/machines/{domain.uuid}/").content.decode()

    def test_nobody_reads_a_secret(self, cast: Cast, domain: Domain) -> None:
        browser = browser_of(cast.superuser)
        for page in ("", "1/", "2/", "edit/"):
            shown = browser.get(f"/machines/{domain.uuid}/definition/{page}").content.decode()
            assert "hunter2" not in shown
            assert "kept-secret-1" in shown

    def test_shows_the_text_and_what_happened(self, cast: Cast, domain: Domain) -> None:
        shown = words(browser_of(cast.auditor).get(f"/machines/{domain.uuid}/definition/").content.decode())
        assert '<disk type="file" device="disk">' in shown
        assert "Version 2 in force beside the panel" in shown
        assert "memory: 512 MiB → 1024 MiB" in shown

    def test_a_hostile_definition_stays_text(self, cast: Cast, domain: Domain) -> None:
        evil = definition(domain, memory_mib=64).replace(
            "<vcpu>", "<title>&lt;script&gt;alert(1)&lt;/script&gt;&quot;onx=</title><vcpu>"
        )
        seen(domain, evil)
        for page in ("", "3/"):
            shown = (
                browser_of(cast.auditor).get(f"/machines/{domain.uuid}/definition/{page}").content.decode()
            )
            assert "<script>alert" not in shown
            assert "alert(1)" in shown

    def test_a_machine_that_was_not_read_yet_says_so(self, cast: Cast, host: Host) -> None:
        new = Domain.objects.create(host=host, name="new", state=DomainState.OFF)
        shown = browser_of(cast.operator).get(f"/machines/{new.uuid}/definition/").content.decode()
        assert "Not read yet" in shown

    def test_one_version_says_what_it_changed(self, cast: Cast, domain: Domain) -> None:
        shown = words(browser_of(cast.auditor).get(f"/machines/{domain.uuid}/definition/2/").content.decode())
        assert "memory: 512 MiB → 1024 MiB" in shown
        assert '- <memory unit="KiB">524288</memory>' in shown
        assert '+ <memory unit="KiB">1048576</memory>' in shown

    def test_a_version_that_there_is_not(self, cast: Cast, domain: Domain) -> None:
        browser = browser_of(cast.auditor)
        for number in ("0", "3", "99999999999999999999"):
            assert browser.get(f"/machines/{domain.uuid}/definition/{number}/").status_code == 404


class TestAsItRuns:
    @pytest.fixture
    def on(self, domain: Domain) -> Domain:
        cache.clear()
        domain.state, domain.live_id = DomainState.RUNNING, 4
        domain.save()
        return domain

    def test_it_is_read_by_a_worker_and_shown_when_it_comes(self, cast: Cast, on: Domain) -> None:
        page = f"/machines/{on.uuid}/definition/running/"
        assert "Reading it from kvm1" in browser_of(cast.auditor).get(page).content.decode()

        running.keep(on, '<domain id="4"/>')

        topic = live.topic("running-definition")
        assert topic is not None
        assert "4" in words(topic.render(cast.auditor, str(on.uuid)) or "")
        assert topic.render(cast.lead, str(on.uuid)) is None
        assert '"4"' in words(browser_of(cast.auditor).get(page).content.decode())

    def test_why_it_could_not_be_read_is_said(self, cast: Cast, on: Domain) -> None:
        running.keep(on, "", refused="The host does not answer.")
        page = browser_of(cast.auditor).get(f"/machines/{on.uuid}/definition/running/").content.decode()
        assert "The host does not answer." in page

    def test_another_run_has_another_document(self, cast: Cast, on: Domain) -> None:
        running.keep(on, '<domain id="4"/>')
        on.live_id = 5
        assert running.told(on) is None

    def test_by_rest(self, cast: Cast, on: Domain) -> None:
        address = f"/api/v1/domains/{on.uuid}/definition/running"
        assert program_of(cast.auditor).get(address).json()["read_at"] is None
        running.keep(on, '<domain id="4"/>')
        assert program_of(cast.auditor).get(address).json()["xml"] == '<domain id="4"/>'


class TestDrift:
    def notice(self, cast: Cast, domain: Domain, person: str) -> str:
        page = browser_of(cast.people()[person]).get(f"/machines/{domain.uuid}/").content.decode()
        return "changed beside the panel" if "changed beside the panel" in page else ""

    def test_who_may_change_the_machine_is_told(self, cast: Cast, domain: Domain) -> None:
        people = ("superuser", "operator", "lead", "auditor", "member")
        assert [p for p in people if self.notice(cast, domain, p)] == ["superuser", "operator", "lead"]

    def test_the_owner_is_told_without_what(self, cast: Cast, domain: Domain) -> None:
        page = browser_of(cast.lead).get(f"/machines/{domain.uuid}/").content.decode()
        assert "See what" not in page
        assert "512 MiB → 1024" not in words(page)

    def test_one_that_stands_is_told_no_more(self, cast: Cast, domain: Domain) -> None:
        answer = browser_of(cast.lead).post(f"/machines/{domain.uuid}/definition/accept/")
        assert answer.status_code == 302
        assert not self.notice(cast, domain, "lead")
        assert Entry.objects.filter(verb="domain.accept-change", target_key=str(domain.uuid)).exists()
        version = domain.versions.get(number=2)
        assert version.accepted_by == cast.lead

    def test_nothing_is_there_to_let_stand_twice(self, cast: Cast, domain: Domain) -> None:
        program = program_of(cast.operator)
        address = f"/api/v1/domains/{domain.uuid}/definition/accept"
        assert [program.post(address).status_code for _ in range(2)] == [204, 409]

    def test_the_next_change_is_told_again(self, cast: Cast, domain: Domain) -> None:
        browser_of(cast.lead).post(f"/machines/{domain.uuid}/definition/accept/")
        seen(domain, definition(domain, memory_mib=64))
        assert self.notice(cast, domain, "lead")

    def test_what_the_panel_met_is_no_drift(self, cast: Cast, host: Host) -> None:
        met = Domain.objects.create(host=host, name="met", team=cast.team, state=DomainState.OFF)
        seen(met, definition(met, memory_mib=64))
        assert not self.notice(cast, met, "operator")


class TestRest:
    def test_reads_without_secrets(self, cast: Cast, domain: Domain) -> None:
        answer = program_of(cast.auditor).get(f"/api/v1/domains/{domain.uuid}/definition")
        assert answer["ETag"] == f'"{domain.xml_sha}"'
        assert answer.json()["number"] == 2
        assert "hunter2" not in answer.content.decode()
        assert 'passwd="kept-secret-1"' in answer.json()["xml"]

    def test_lists_versions_in_pages(self, cast: Cast, domain: Domain) -> None:
        program = program_of(cast.auditor)
        address = f"/api/v1/domains/{domain.uuid}/definition/versions"
        first = program.get(f"{address}?size=1").json()
        second = program.get(f"{address}?size=1&before={first[0]['number']}").json()
        assert [row["number"] for row in first + second] == [2, 1]
        assert first[0]["changes"] == ["memory: 512 MiB → 1024 MiB"]
        assert first[0]["origin"] == "beside"
        assert "xml" not in first[0]

    def test_compares_any_two(self, cast: Cast, domain: Domain) -> None:
        address = f"/api/v1/domains/{domain.uuid}/definition/versions/2/differences/1"
        assert program_of(cast.auditor).get(address).json() == ["memory: 1024 MiB → 512 MiB"]

    def test_a_machine_not_read_yet_is_a_conflict(self, cast: Cast, host: Host) -> None:
        new = Domain.objects.create(host=host, name="new", state=DomainState.OFF)
        assert program_of(cast.operator).get(f"/api/v1/domains/{new.uuid}/definition").status_code == 409


def test_drafts_are_seen_by_nobody_but_their_author(cast: Cast, domain: Domain) -> None:
    draft = draft_of(domain, cast.superuser)
    page = f"/machines/{domain.uuid}/definition/"
    assert str(draft.uuid) in browser_of(cast.superuser).get(page).content.decode()
    assert str(draft.uuid) not in browser_of(cast.operator).get(page).content.decode()
