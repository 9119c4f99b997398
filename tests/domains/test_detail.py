"""The page of one machine: what it says, to whom, and with which buttons."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client
from django.utils import timezone

import audit
from accounts.models import User
from core import live
from domains.models import Domain, DomainDisk, DomainNic, DomainState
from hosts.models import Host, HostState
from operations.models import Operation, OperationState, OperationStep
from storage.models import Pool, Volume
from tests.conftest import Cast, browser_of

PIECES = ["row", "name", "state", "facts", "disks", "nics", "activity"]


@pytest.fixture
def domain(cast: Cast, host: Host) -> Domain:
    machine = Domain.objects.create(
        host=host,
        name="web1",
        team=cast.team,
        state=DomainState.RUNNING,
        vcpus=2,
        memory_mib=2048,
        has_screen=True,
        seen_at=timezone.now(),
    )
    DomainDisk.objects.create(
        domain=machine, target="vda", bus="virtio", device="disk", path="/pool/a.qcow2", format="qcow2"
    )
    DomainDisk.objects.create(domain=machine, target="sda", bus="sata", device="cdrom", readonly=True)
    DomainNic.objects.create(
        domain=machine, mac="52:54:00:00:00:01", kind="network", source="default", model="virtio"
    )
    return machine


def page_of(person: User, domain: Domain) -> str:
    return browser_of(person).get(f"/machines/{domain.uuid}/").content.decode()


def buttons(page: str) -> dict[str, bool]:
    """The power buttons and menu entries by their verb: whether any of them can be pressed."""
    found = re.findall(r'action="/machines/[^"]*/power/([a-z-]+)/".*?<button([^>]*)>', page, re.DOTALL)
    return {verb: any("disabled" not in rest for v, rest in found if v == verb) for verb, _ in found}


class TestWhoSeesIt:
    @pytest.mark.parametrize(
        ("person", "status"),
        [
            ("superuser", 200),
            ("operator", 200),
            ("auditor", 200),
            ("lead", 200),
            ("member", 200),
            ("stranger", 404),
        ],
    )
    def test_by_role(self, cast: Cast, domain: Domain, person: str, status: int) -> None:
        assert browser_of(cast.people()[person]).get(f"/machines/{domain.uuid}/").status_code == status

    def test_an_auditor_reads_and_has_no_buttons(self, cast: Cast, domain: Domain) -> None:
        page = page_of(cast.auditor, domain)

        assert "web1" in page
        assert buttons(page) == {}
        assert f"/console/{domain.uuid}" not in page
        assert f"/machines/{domain.uuid}/delete" not in page

    def test_a_member_may_switch_it_but_not_delete_it(self, cast: Cast, domain: Domain) -> None:
        page = page_of(cast.member, domain)

        assert buttons(page)["shutdown"]
        assert f"/machines/{domain.uuid}/delete" not in page
        assert f"/machines/{domain.uuid}/delete" in page_of(cast.lead, domain)

    def test_there_is_none_under_that_uuid(self, operator: Client) -> None:
        assert operator.get(f"/machines/{uuid4()}/").status_code == 404


class TestPower:
    @pytest.mark.parametrize(
        ("state", "offered"),
        [
            (
                DomainState.RUNNING,
                {"shutdown", "reboot", "suspend", "save", "reset", "force-off", "autostart-on"},
            ),
            (DomainState.PAUSED, {"resume", "save", "reset", "force-off", "autostart-on"}),
            (DomainState.OFF, {"start", "start-paused", "autostart-on"}),
            (DomainState.CRASHED, {"reset", "force-off", "autostart-on"}),
        ],
    )
    def test_the_state_says_what_can_be_pressed(
        self, cast: Cast, domain: Domain, state: DomainState, offered: set[str]
    ) -> None:
        Domain.objects.update(state=state)

        assert {
            verb for verb, enabled in buttons(page_of(cast.operator, domain)).items() if enabled
        } == offered

    def test_what_loses_work_asks_first(self, cast: Cast, domain: Domain) -> None:
        page = page_of(cast.operator, domain)

        form = re.search(r'<form[^>]*power/force-off/"[^>]*>', page, re.DOTALL)
        assert form is not None
        assert "data-confirm=" in form.group()
        assert "is lost" in form.group()

    def test_a_machine_being_made_has_no_buttons_but_its_steps(self, cast: Cast, domain: Domain) -> None:
        Domain.objects.update(state=DomainState.CREATING)
        operation = working_on(domain, cast.operator, state=OperationState.RUNNING)
        OperationStep.objects.create(operation=operation, position=0, title="Make the disk")

        page = page_of(cast.operator, domain)

        assert buttons(page) == {}
        assert "Make the disk" in page


class TestWhatItSays:
    def test_disks_with_what_storage_knows_of_them(self, cast: Cast, domain: Domain) -> None:
        pool = Pool.objects.create(
            host=domain.host, uuid=uuid4(), name="default", kind="dir", state="running"
        )
        Volume.objects.create(
            pool=pool, name="a.qcow2", label="web1 system", path="/pool/a.qcow2", capacity_bytes=5 * 1024**3
        )

        page = page_of(cast.operator, domain)

        for words in (
            "vda",
            "web1 system",
            "5 GiB",
            "qcow2",
            "sata CD-ROM",
            "Empty",
            "52:54:00:00:00:01",
            "default",
        ):
            assert words in page

    def test_why_it_is_slow(self, cast: Cast, domain: Domain) -> None:
        assert "Why kvm1 has no KVM" in page_of(cast.operator, domain)

        Host.objects.update(kvm=True)
        assert "defined without it" in page_of(cast.operator, domain)

        Domain.objects.update(accelerated=True)
        assert "emulated" not in page_of(cast.operator, domain)

    def test_a_dead_host_makes_it_old(self, cast: Cast, domain: Domain) -> None:
        Host.objects.update(state=HostState.DOWN)
        Domain.objects.update(seen_at=timezone.now() - timedelta(days=2))

        page = page_of(cast.operator, domain)

        assert "kvm1 does not answer" in page
        assert "2 d ago" in page
        assert "state-green" not in page

    def test_hostile_names_are_text(self, cast: Cast, domain: Domain) -> None:
        Domain.objects.update(name="<script>alert(1)</script>", description="<img src=x>")
        DomainNic.objects.update(source="<b>net</b>")

        page = page_of(cast.operator, domain)

        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
        assert not any(markup in page for markup in ("<script>alert", "<img src=x>", "<b>net"))

    def test_the_audit_log_only_to_who_may_read_it(self, cast: Cast, domain: Domain) -> None:
        audit.record(cast.operator, "domain.start", target=domain)

        assert "domain.start" in page_of(cast.auditor, domain)
        assert "domain.start" not in page_of(cast.member, domain)

    def test_what_went_wrong_last(self, cast: Cast, domain: Domain) -> None:
        working_on(domain, cast.operator, state=OperationState.FAILED, error="The guest did not answer.")

        assert "The guest did not answer." in page_of(cast.member, domain)


class TestGone:
    def test_the_page_says_so_and_tells_what_was_done_last(self, cast: Cast, domain: Domain) -> None:
        Domain.objects.update(gone_at=timezone.now())
        working_on(domain, cast.operator, title="Delete web1", state=OperationState.SUCCEEDED)

        answer = browser_of(cast.operator).get(f"/machines/{domain.uuid}/")

        assert answer.status_code == 410
        page = answer.content.decode()
        assert "This virtual machine is gone" in page
        assert "Delete web1" in page
        assert buttons(page) == {}

    def test_one_whose_creation_failed_was_not_made(self, cast: Cast, domain: Domain) -> None:
        Domain.objects.update(gone_at=timezone.now(), seen_at=None)
        working_on(domain, cast.operator, state=OperationState.FAILED, error="The pool is full.")

        page = page_of(cast.operator, domain)

        assert "was not made" in page
        assert "The pool is full." in page

    def test_a_stranger_is_not_told_that_it_was_there(self, cast: Cast, domain: Domain) -> None:
        Domain.objects.update(gone_at=timezone.now())

        assert browser_of(cast.stranger).get(f"/machines/{domain.uuid}/").status_code == 404


class TestLivePieces:
    @pytest.mark.parametrize("kind", PIECES)
    def test_a_piece_is_what_the_page_shows(self, cast: Cast, domain: Domain, kind: str) -> None:
        piece = render(kind, cast.operator, domain)

        assert piece is not None
        assert f'data-live="domain-{kind}:{domain.uuid}"' in piece
        address = "/machines/" if kind == "row" else f"/machines/{domain.uuid}/"
        page = browser_of(cast.operator).get(address).content.decode()
        assert settled(piece) in settled(page)

    @pytest.mark.parametrize("kind", [*PIECES])
    def test_a_stranger_gets_none(self, cast: Cast, domain: Domain, kind: str) -> None:
        assert render(kind, cast.stranger, domain) is None

    def test_a_machine_that_vanishes_says_so_in_place(self, cast: Cast, domain: Domain) -> None:
        Domain.objects.update(gone_at=timezone.now())

        assert "This virtual machine is gone" in (render("state", cast.operator, domain) or "")
        assert "Activity" in (render("activity", cast.operator, domain) or "")
        assert render("row", cast.operator, domain) is None
        assert render("state", cast.stranger, domain) is None

    def test_the_picture_is_announced_to_who_may_see_it(self, cast: Cast, domain: Domain) -> None:
        topic = live.topic("screen")
        assert topic is not None
        assert topic.render(cast.member, str(domain.uuid)) == ""
        assert topic.render(cast.stranger, str(domain.uuid)) is None
        assert topic.render(cast.operator, "x") is None


class TestCost:
    def test_queries_do_not_depend_on_how_much_there_is(
        self, cast: Cast, domain: Domain, django_assert_max_num_queries: Any
    ) -> None:
        browser = browser_of(cast.superuser)
        address = f"/machines/{domain.uuid}/"
        working_on(domain, cast.operator, state=OperationState.FAILED)
        audit.record(cast.operator, "domain.start", target=domain)
        with django_assert_max_num_queries(14) as few:
            browser.get(address)
        for number in range(20):
            working_on(domain, cast.operator, state=OperationState.FAILED)
            audit.record(cast.operator, "domain.start", target=domain)
            DomainDisk.objects.create(
                domain=domain, target=f"vd{number}", device="disk", path=f"/pool/{number}"
            )
            DomainNic.objects.create(domain=domain, mac=f"52:54:00:00:01:{number:02x}", kind="network")

        with django_assert_max_num_queries(len(few.captured_queries)):
            browser.get(address)


def working_on(domain: Domain, actor: User, **values: Any) -> Operation:
    given = {"kind": "domain.start", "title": f"Start {domain.name}"}
    return Operation.objects.create(
        target_kind="domain",
        target_id=domain.uuid,
        target_name=domain.name,
        team=domain.team,
        actor=actor,
        **{**given, **values},
    )


def render(kind: str, user: User, domain: Domain) -> str | None:
    topic = live.topic(f"domain-{kind}")
    assert topic is not None
    return topic.render(User.objects.get(pk=user.pk), str(domain.uuid))


def settled(html: str) -> str:
    """Without what differs between two moments or two forms of the same: ages, CSRF fields, white space."""
    html = re.sub(r"<time.*?</time>", "<time>", html, flags=re.DOTALL)
    html = re.sub(r'<input type="hidden" name="csrfmiddlewaretoken"[^>]*>', "", html)
    return re.sub(r"\s+", "", html)
