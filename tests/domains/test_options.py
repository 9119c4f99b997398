"""Options of machines: what is asked for happens, now or at the next start, and nothing that others did is lost."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client

from accounts.models import User
from core.errors import InvalidInput
from domains import inventory
from domains.actions import options as actions
from domains.models import Domain, DomainState, DomainVersion, Origin
from domains.option_wishes import (
    FirmwareWish,
    TpmWish,
)
from domains.options import pending
from hosts.models import Host
from hypervisor.facts import DomainState as Seen
from operations.models import Operation
from tests.conftest import Cast, browser_of, program_of
from tests.domains.facts import disk_facts, domain_facts, option_facts

CARD = "52:54:00:00:00:01"


@pytest.fixture
def seen(cast: Cast, host: Host) -> Domain:
    """A machine of the lead's team that runs with two of at most four vCPUs, as its host told."""
    host.cpu_modes, host.cpu_models = ["host-model", "maximum"], ["Nehalem"]
    host.uefi = host.tpm = host.secure_boot = True
    host.save()
    now = option_facts(vcpus_max=4, vcpus_fixed=1)
    facts = domain_facts(
        state=Seen.RUNNING,
        live_id=7,
        defined=now,
        live=now,
        disks=(disk_facts(), disk_facts("sda", device="cdrom")),
    )
    inventory.record_domain(host, facts)
    Domain.objects.update(owner=cast.lead, team=cast.team)
    found: Domain = Domain.objects.select_related("host", "team").get()
    return found


def keep(domain: Domain, number: int, sha: str, author: User | None) -> None:
    """One more version of its definition, which is the one in force then."""
    version = DomainVersion(domain=domain, number=number, sha=sha, origin=Origin.PANEL, author=author)
    version.xml = "<domain/>"
    version.save()
    Domain.objects.filter(pk=domain.pk).update(xml_sha=sha, kept_sha=sha)


def fields(browser: Client, domain: Domain, group: str, **typed: Any) -> dict[str, Any]:
    """The form as the page has it, with what a person typed."""
    answer = browser.get(f"/machines/{domain.uuid}/options/")
    form = next(one["form"] for one in answer.context["groups"] if one["form"].group == group)
    values = {name: form[name].value() for name in form.fields}
    return {name: "" if value is None else value for name, value in {**values, **typed}.items()}


@pytest.mark.django_db
class TestPage:
    def send(self, person: Any, domain: Domain, group: str, **typed: Any) -> Any:
        browser = browser_of(person)
        data = fields(browser, domain, group, **typed)
        return browser.post(f"/machines/{domain.uuid}/options/{group}/", data, headers={"hx-request": "true"})

    def test_does_not_exist_for_a_stranger(self, cast: Cast, seen: Domain) -> None:
        stranger = browser_of(cast.stranger)
        assert stranger.get(f"/machines/{seen.uuid}/options/").status_code == 404
        for group in ("cpu", "memory", "boot", "firmware", "tpm", "clock", "label", "owner", "start-from"):
            assert stranger.post(f"/machines/{seen.uuid}/options/{group}/").status_code == 404

    def test_who_may_not_change_it_may_look(self, cast: Cast, seen: Domain) -> None:
        member = browser_of(cast.member)
        text = member.get(f"/machines/{seen.uuid}/options/").content.decode()
        assert "Processor" in text
        assert "Change the processor</button>" not in text
        assert member.post(f"/machines/{seen.uuid}/options/clock/").status_code == 404

    @pytest.mark.parametrize(
        ("group", "typed", "change", "live"),
        [
            (
                "cpu",
                {"vcpus": 3, "sockets": 1, "cores": 2, "threads": 2, "cpu": "Nehalem"},
                {"vcpus": 3, "vcpus_max": 4, "cpu": "Nehalem", "sockets": 1, "cores": 2, "threads": 2},
                {"vcpus": 3},
            ),
            ("cpu", {"vcpus": 3, "when": "start"}, {"vcpus": 3}, {}),
            ("memory", {"memory_mib": 512}, {"memory_mib": 512, "memory_max_mib": 1024}, {"memory_mib": 512}),
            ("memory", {"memory_max_mib": 2048}, {"memory_mib": 1024, "memory_max_mib": 2048}, {}),
            ("boot", {"devices": [CARD, "vda"]}, {"devices": [CARD, "vda"]}, {}),
            ("firmware", {"firmware": "uefi-secure"}, {"firmware": "uefi-secure"}, {}),
            ("tpm", {"tpm": "on"}, {"tpm": True}, {}),
            ("clock", {"clock": "Europe/Berlin"}, {"clock": "Europe/Berlin"}, {}),
            (
                "label",
                {"title": "<b>", "description": "a\r\nb", "tags": " x ,y,, x"},
                {"title": "<b>", "description": "a\nb", "tags": ["x", "y"]},
                {},
            ),
        ],
    )
    def test_asks_for_what_was_typed(
        self, cast: Cast, seen: Domain, group: str, typed: Any, change: Any, live: Any
    ) -> None:
        answer = self.send(cast.lead, seen, group, **typed)

        assert answer.status_code == 200, answer.content.decode()
        asked = Operation.objects.get()
        assert asked.kind == f"domain.change.{group}"
        assert asked.params["sha"] == seen.xml_sha
        assert asked.params["change"] == asked.params["change"] | change
        assert asked.params["live"] == live
        assert b"operation-started" in answer.content

    @pytest.mark.parametrize(
        ("group", "typed", "words"),
        [
            ("cpu", {"vcpus": 0}, "greater than or equal to 1"),
            ("cpu", {"vcpus": "many"}, "whole number"),
            ("cpu", {"vcpus": 5}, "Give 1 to 4, the maximum"),
            ("cpu", {"vcpus_max": 99}, "kvm1 has 4 CPUs"),
            ("cpu", {"sockets": 3, "cores": 1, "threads": 1}, "must be 4"),
            ("cpu", {"sockets": 4}, "must be 4"),
            ("cpu", {"cpu": "<EPYC>"}, "not one of the available choices"),
            ("memory", {"memory_mib": 1}, "Give 64 to 1024 MiB"),
            ("memory", {"memory_mib": 2048, "memory_max_mib": 2048}, "at most 1024 MiB"),
            ("memory", {"memory_max_mib": 10 * 2**40}, "kvm1 has 8 GiB"),
            ("memory", {"memory_mib": "1 GiB"}, "whole number"),
            ("boot", {"devices": []}, "Choose at least one"),
            ("boot", {"devices": ["vdz"]}, "not one of the available choices"),
            ("firmware", {"firmware": "coreboot"}, "not one of the available choices"),
            ("clock", {"clock": "../etc"}, "not one of the available choices"),
            ("label", {"title": "x" * 300}, "at most 255 characters"),
            ("label", {"tags": "y" * 65}, "at most 64 characters"),
            ("label", {"description": "\x07"}, "can&#x27;t be kept"),
        ],
    )
    def test_nonsense_is_told_beside_its_field(
        self, cast: Cast, seen: Domain, group: str, typed: Any, words: str
    ) -> None:
        answer = self.send(cast.lead, seen, group, **typed)

        assert answer.status_code == 422
        assert words in answer.content.decode()
        assert not Operation.objects.exists()

    def test_what_was_seen_must_still_be_so(self, cast: Cast, seen: Domain) -> None:
        browser = browser_of(cast.lead)
        data = fields(browser, seen, "clock", clock="localtime")
        Domain.objects.update(xml_sha="1" * 64)

        answer = browser.post(f"/machines/{seen.uuid}/options/clock/", data, headers={"hx-request": "true"})

        assert answer.status_code == 409
        assert "Somebody changed its definition meanwhile" in answer.content.decode()
        assert not Operation.objects.exists()

    @pytest.mark.parametrize(("by", "status"), [(["lead"], 302), (["lead", "operator"], 409), ([None], 409)])
    def test_what_they_changed_themselves_is_as_they_saw_it(
        self, cast: Cast, seen: Domain, by: list[str | None], status: int
    ) -> None:
        browser = browser_of(cast.lead)
        keep(seen, 1, "1" * 64, None)
        data = fields(browser, seen, "clock", clock="localtime")
        for number, name in enumerate(by, start=2):
            keep(seen, number, f"{number}" * 64, cast.people()[name] if name else None)

        assert browser.post(f"/machines/{seen.uuid}/options/clock/", data).status_code == status
        assert Operation.objects.count() == (status == 302)

    def test_the_same_click_is_one(self, cast: Cast, seen: Domain) -> None:
        browser = browser_of(cast.lead)
        data = fields(browser, seen, "clock", clock="localtime")

        answers = [browser.post(f"/machines/{seen.uuid}/options/clock/", data) for _ in range(2)]

        assert {answer.status_code for answer in answers} == {302}
        assert Operation.objects.count() == 1

    def test_shows_what_waits_for_the_next_start(self, cast: Cast, seen: Domain) -> None:
        then = option_facts(vcpus=4, vcpus_max=4, vcpus_fixed=4, firmware="uefi", boot=())
        now = option_facts(vcpus_max=4, vcpus_fixed=1)
        facts = domain_facts(uuid=seen.uuid, state=Seen.RUNNING, live_id=7, defined=then, live=now)
        inventory.record_domain(seen.host, facts)

        text = browser_of(cast.member).get(f"/machines/{seen.uuid}/options/").content.decode()

        assert "Waiting for the next start" in text
        assert "3 changes</a> wait for its next start" in text
        seen.refresh_from_db()
        assert [(one.what, one.now, one.then) for one in pending(seen)] == [
            ("vCPUs", "2", "4"),
            ("Boots from", "vda", "nothing"),
            ("Firmware", "BIOS", "UEFI"),
        ]

    def test_a_model_that_the_host_chose_waits_for_nothing(self, host: Host) -> None:
        def waiting(now: str, then: str) -> list[str]:
            facts = domain_facts(
                state=Seen.RUNNING, live_id=1, live=option_facts(cpu=now), defined=option_facts(cpu=then)
            )
            return [one.what for one in pending(inventory.record_domain(host, facts))]

        assert waiting("EPYC", "host-model") == []
        assert waiting("qemu64", "") == []
        assert waiting("EPYC", "Nehalem") == ["CPU"]
        assert waiting("host-passthrough", "host-model") == ["CPU"]

    def test_before_its_host_told_of_it(self, cast: Cast, host: Host) -> None:
        domain = Domain.objects.create(host=host, name="new", state=DomainState.OFF)

        assert (
            "was not seen yet"
            in browser_of(cast.operator).get(f"/machines/{domain.uuid}/options/").content.decode()
        )


@pytest.mark.django_db
class TestOwner:
    def test_is_said_by_operators(self, cast: Cast, seen: Domain) -> None:
        address = f"/machines/{seen.uuid}/options/owner/"
        assert (
            "Change whose it is"
            not in browser_of(cast.lead).get(f"/machines/{seen.uuid}/options/").content.decode()
        )
        assert browser_of(cast.lead).post(address, {"owner": cast.lead.pk}).status_code == 404

        answer = browser_of(cast.operator).post(
            address, {"owner": cast.stranger.pk, "team": ""}, headers={"hx-request": "true"}
        )

        assert "Saved." in answer.content.decode()
        seen.refresh_from_db()
        assert (seen.owner, seen.team) == (cast.stranger, None)

    def test_can_sign_in(self, cast: Cast, seen: Domain) -> None:
        cast.stranger.is_active = False
        cast.stranger.save()

        answer = browser_of(cast.operator).post(
            f"/machines/{seen.uuid}/options/owner/",
            {"owner": cast.stranger.pk},
            headers={"hx-request": "true"},
        )

        assert answer.status_code == 422
        with pytest.raises(InvalidInput):
            actions.assign(domain=seen, owner=cast.stranger, team=None, actor=cast.operator)

    def test_by_rest(self, cast: Cast, seen: Domain) -> None:
        def put(**body: Any) -> int:
            address = f"/api/v1/domains/{seen.uuid}/owner"
            return program_of(cast.operator).put(address, json.dumps(body), "application/json").status_code

        assert put(owner="nobody-such", team=None) == 422
        assert put(owner="member", team="blue") == 204
        seen.refresh_from_db()
        assert (seen.owner, seen.team) == (cast.member, cast.team)


@pytest.mark.django_db
class TestRest:
    def test_tells_now_and_then(self, cast: Cast, seen: Domain) -> None:
        told = program_of(cast.member).get(f"/api/v1/domains/{seen.uuid}/options").json()

        assert (told["sha"], told["pending"]) == (seen.xml_sha, [])
        assert told["live"]["vcpus"] == told["defined"]["vcpus"] == 2

    def test_refuses_by_the_same_rules(self, cast: Cast, seen: Domain) -> None:
        def post(group: str, **body: Any) -> Any:
            address = f"/api/v1/domains/{seen.uuid}/options/{group}"
            return program_of(cast.lead).post(address, json.dumps(body), "application/json")

        assert post("cpu", vcpus=0, vcpus_max=4).json()["field"] == "vcpus"
        assert post("cpu", vcpus=1, vcpus_max=4, cpu="486").json()["field"] == "cpu"
        assert (
            post("cpu", vcpus=1, vcpus_max=4, cpu="maximum", sockets=-2, cores=-2, threads=1).status_code
            == 422
        )
        assert post("boot", devices=["vda", "vda"]).json()["field"] == "devices"
        assert post("boot", devices=["vdz"]).status_code == 422
        assert post("firmware", firmware="x").status_code == 422
        assert post("clock", clock="Mars/Base").json()["field"] == "clock"
        assert post("label", title="two\nlines").json()["field"] == "title"
        assert post("label", tags=[""]).json()["field"] == "tags"
        assert post("label", title="\ud800").status_code in (400, 422)
        assert post("clock", clock="utc", sha="0" * 63 + "1").status_code == 409
        assert not Operation.objects.exists()
        assert post("clock", clock="utc", sha=seen.xml_sha).status_code == 202

    def test_what_the_host_lacks_is_refused(self, cast: Cast, seen: Domain) -> None:
        Host.objects.update(uefi=False, tpm=False, secure_boot=False)
        seen.host.refresh_from_db()

        for wish in (FirmwareWish(firmware="uefi"), TpmWish(tpm=True)):
            with pytest.raises(InvalidInput):
                actions.change(wish=wish, domain=seen, actor=cast.lead)
        seen.host.uefi = True
        with pytest.raises(InvalidInput, match="secure boot"):
            actions.change(wish=FirmwareWish(firmware="uefi-secure"), domain=seen, actor=cast.lead)
        seen.host.secure_boot, seen.machine = True, "pc-i440fx-7.2"
        with pytest.raises(InvalidInput, match="q35"):
            actions.change(wish=FirmwareWish(firmware="uefi-secure"), domain=seen, actor=cast.lead)
