"""Changing a definition: typed, shown beside the one in force, applied with a password, on a real host."""

from __future__ import annotations

import json
from collections.abc import Iterator
from html import unescape
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.core.cache import cache
from django.test import Client
from django.utils.html import strip_tags

from accounts.models import User
from audit.models import Entry
from domains import versions
from domains.inventory import record_domain
from domains.models import Domain, DomainDraft, DomainState, Origin
from hosts.connections import borrow
from hosts.models import Host
from operations.models import Operation, OperationState
from storage.models import Pool
from tests.conftest import PASSWORD, Cast, browser_of, program_of
from tests.domains.history import changed_beside, definition
from tests.lab.host import LabHost
from tests.lab.machines import Machine, machine
from tests.stage import carry_out

FOREIGN = "<serial type='file'><source path='/opt/out.log'/></serial>"


def able(user: User) -> User:
    """With a password, for what asks for it once more."""
    cache.clear()
    user.set_password(PASSWORD)
    user.save()
    return user


def seen(made: Machine, host: Host) -> Domain:
    """The machine as the watcher would have recorded it just now."""
    with borrow(host) as hypervisor:
        record_domain(host, hypervisor.read_domain(made.uuid))
        versions.keep(host, {made.uuid: hypervisor.read_definition(made.uuid)})
    domain: Domain = Domain.objects.select_related("host").get(uuid=made.uuid)
    return domain


def virsh_edit(made: Machine, old: str, new: str) -> None:
    file = made.host.root / f"{uuid4()}.xml"
    file.write_text(made.virsh("dumpxml", "--inactive", "--security-info").replace(old, new))
    made.host.virsh("define", str(file))
    file.unlink()


def text_of(domain: Domain, browser: Client) -> str:
    """What stands in the editor."""
    page = browser.get(f"/machines/{domain.uuid}/definition/edit/").content.decode()
    return unescape(page.split("<textarea")[1].split(">", 1)[1].split("</textarea>")[0])[1:]


def write(browser: Client, domain: Domain, xml: str, **more: Any) -> Any:
    base = versions.latest(domain)
    assert base is not None
    data = {"base": base.number, "xml": xml, **more}
    return browser.post(f"/machines/{domain.uuid}/definition/edit/", data)


def error_of(answer: Any) -> str:
    return strip_tags(
        unescape(answer.content.decode().split('role="alert"')[1].split(">", 1)[1].split("</div>")[0])
    )


@pytest.fixture
def made(real_host: Host, lab_host: LabHost) -> Iterator[Machine]:
    with machine(lab_host, "web1") as one:
        virsh_edit(one, "<graphics type='vnc'", "<graphics type='vnc' passwd='hunter2'")
        yield one


class TestApplying:
    """The whole way, through the pages."""

    def test_from_the_text_to_the_host(self, cast: Cast, made: Machine, real_host: Host) -> None:
        domain = seen(made, real_host)
        browser = browser_of(able(cast.superuser))
        text = text_of(domain, browser)
        assert "hunter2" not in text

        answer = write(browser, domain, text.replace("32768", "65536"))
        preview = browser.get(answer["Location"]).content.decode()
        assert "memory: 32 MiB → 64 MiB" in preview
        assert "hunter2" not in preview
        applied = browser.post(answer["Location"], {"password": PASSWORD})

        operation = carry_out(Operation.objects.get(kind="domain.define").pk)
        assert applied["Location"].endswith(f"/{operation.pk}/")
        assert operation.state == OperationState.SUCCEEDED
        assert "hunter2" not in json.dumps(operation.params)
        now = made.virsh("dumpxml", "--inactive", "--security-info")
        assert "65536" in now
        assert "passwd='hunter2'" in now
        newest = versions.latest(domain)
        assert newest is not None
        assert (newest.origin, newest.author, newest.operation) == (Origin.PANEL, cast.superuser, operation)
        assert not DomainDraft.objects.exists()
        entry = Entry.objects.get(verb="domain.define")
        assert entry.details == {"changes": ["memory: 32 MiB → 64 MiB"], "allowed": []}

    def test_what_somebody_changed_meanwhile_stays(self, cast: Cast, made: Machine, real_host: Host) -> None:
        domain = seen(made, real_host)
        browser = browser_of(able(cast.superuser))
        answer = write(browser, domain, text_of(domain, browser).replace("32768", "65536"))
        browser.post(answer["Location"], {"password": PASSWORD})
        virsh_edit(made, "32768", "98304")

        operation = carry_out(Operation.objects.get().pk)

        assert operation.state == OperationState.FAILED
        assert "changed meanwhile" in operation.error
        assert "98304" in made.virsh("dumpxml", "--inactive")
        seen(made, real_host)
        preview = browser.get(answer["Location"]).content.decode()
        assert "it can&#x27;t be applied" in preview or "it can't be applied" in preview
        again = browser.post(answer["Location"], {"password": PASSWORD})
        assert again.status_code == 409
        assert (
            "65536"
            in browser.get(f"/machines/{domain.uuid}/definition/edit/?draft={draft().uuid}").content.decode()
        )

    def test_what_libvirt_refuses_waits_for_its_author(
        self, cast: Cast, made: Machine, real_host: Host
    ) -> None:
        domain = seen(made, real_host)
        browser = browser_of(able(cast.superuser))
        answer = write(browser, domain, text_of(domain, browser).replace("<vcpu ", "<nonsense/><vcpu "))
        browser.post(answer["Location"], {"password": PASSWORD})

        operation = carry_out(Operation.objects.get().pk)

        assert operation.state == OperationState.FAILED
        assert "nonsense" in operation.error
        page = browser.get(f"/machines/{domain.uuid}/definition/").content.decode()
        assert "is not applied" in page
        assert "nonsense" in page

    def test_a_version_comes_back_with_its_secrets(self, cast: Cast, made: Machine, real_host: Host) -> None:
        domain = seen(made, real_host)
        virsh_edit(made, "passwd='hunter2'", "passwd='other'")
        domain = seen(made, real_host)
        browser = browser_of(able(cast.superuser))

        answer = browser.post(f"/machines/{domain.uuid}/definition/1/bring-back/")
        preview = browser.get(answer["Location"]).content.decode()
        assert "VNC screen: passwd changed" in preview
        assert "hunter2" not in preview
        # Going on writing keeps the secrets of both.
        edited = browser.get(
            f"/machines/{domain.uuid}/definition/edit/?draft={draft().uuid}"
        ).content.decode()
        assert "kept-secret-2" in edited
        browser.post(answer["Location"], {"password": PASSWORD})
        assert carry_out(Operation.objects.get().pk).state == OperationState.SUCCEEDED

        assert "passwd='hunter2'" in made.virsh("dumpxml", "--inactive", "--security-info")
        assert domain.versions.count() == 3

    def test_not_over_saved_memory(self, cast: Cast, made: Machine, real_host: Host) -> None:
        domain = seen(made, real_host)
        browser = browser_of(able(cast.superuser))
        place = write(browser, domain, text_of(domain, browser).replace("32768", "65536"))["Location"]
        browser.post(place, {"password": PASSWORD})
        made.virsh("start")
        made.virsh("managedsave")

        operation = carry_out(Operation.objects.get().pk)

        assert (operation.state, "saved memory" in operation.error) == (OperationState.FAILED, True)
        assert "65536" not in made.virsh("dumpxml", "--inactive")
        seen(made, real_host)
        answer = browser.post(place, {"password": PASSWORD})
        assert (answer.status_code, "has saved memory" in answer.content.decode()) == (409, True)
        made.virsh("managedsave-remove")

    def test_by_rest(self, cast: Cast, made: Machine, real_host: Host) -> None:
        domain = seen(made, real_host)
        program = program_of(able(cast.superuser))
        address = f"/api/v1/domains/{domain.uuid}/definition"
        read = program.get(address)
        xml = read.json()["xml"].replace("32768", "65536")

        def put(body: dict[str, Any], **headers: str) -> Any:
            return program.put(address, json.dumps(body), content_type="application/json", headers=headers)

        whole = {"xml": xml, "password": PASSWORD}
        assert put(whole).status_code == 428
        assert put(whole, if_match='"0"').status_code == 412
        assert put({"xml": xml}, if_match=read["ETag"]).json()["field"] == "password"
        foreign = {**whole, "xml": xml.replace("</devices>", f"{FOREIGN}</devices>")}
        refused = put(foreign, if_match=read["ETag"]).json()
        assert refused["field"] == "allow"
        assert "/opt/out.log" in refused["title"]
        assert not DomainDraft.objects.exists()

        accepted = put(whole, if_match=read["ETag"], idempotency_key="1")
        assert accepted.status_code == 202
        assert carry_out(accepted.json()["operation"]).state == OperationState.SUCCEEDED
        assert program.get(address).json()["author"] == "superuser"
        back = {"password": PASSWORD}
        again = program.post(
            f"{address}/versions/1/bring-back", json.dumps(back), content_type="application/json"
        )
        assert carry_out(again.json()["operation"]).state == OperationState.SUCCEEDED
        assert "32768" in made.virsh("dumpxml", "--inactive")


def draft() -> DomainDraft:
    return DomainDraft.objects.get()


class TestWriting:
    """What is wrong is said beside the text, which stays as it was typed."""

    @pytest.fixture
    def domain(self, cast: Cast, host: Host) -> Domain:
        made = Domain.objects.create(host=host, name="web1", state=DomainState.OFF)
        changed_beside(made)
        Pool.objects.create(host=host, uuid=uuid4(), name="p", kind="dir", state="running", path="/srv/pool")
        return made

    @pytest.fixture
    def browser(self, cast: Cast) -> Client:
        return browser_of(able(cast.superuser))

    def test_is_not_for_operators(self, cast: Cast, domain: Domain) -> None:
        answer = write(browser_of(cast.operator), domain, definition(domain, memory_mib=64))
        assert answer.status_code == 404
        assert not DomainDraft.objects.exists()

    @pytest.mark.parametrize(
        ("old", "new", "words"),
        [
            ("</vcpu>", "</cpu>", "line 5"),
            ("<domain", "<!DOCTYPE x [<!ENTITY a 'b'>]><domain", "DOCTYPE"),
            ("<vcpu>1", "<vcpu>&lol;", "line 5"),
            ("<domain", "<network", "well-formed"),
            ("<name>web1", "<name>web2", "another name"),
            ("<uuid>", "<uuid>0", "UUID"),
            ("<vcpu>1</vcpu>", "<description>" + "x" * 1024 * 1024 + "</description>", "over 1 MiB"),
            ("kept-secret-1", "kept-secret-7", "kept-secret-7"),
            ("<vcpu>1", "<vcpu>\x00", "well-formed"),
        ],
    )
    def test_bad_text(self, browser: Client, domain: Domain, old: str, new: str, words: str) -> None:
        text = text_of(domain, browser)
        assert old in text

        answer = write(browser, domain, text.replace(old, new, 1))

        assert answer.status_code == 422
        assert words in error_of(answer)
        kept = unescape(
            answer.content.decode().split("<textarea")[1].split(">\n", 1)[1].split("</textarea>")[0]
        )
        assert new in kept
        assert not DomainDraft.objects.exists()

    def test_the_same_again_is_nothing_to_apply(self, browser: Client, domain: Domain) -> None:
        assert "Nothing differs" in error_of(write(browser, domain, text_of(domain, browser)))

    @pytest.mark.parametrize("other", [str(UUID(int=7)), ""])
    def test_another_machines_definition(self, browser: Client, domain: Domain, other: str) -> None:
        text = text_of(domain, browser).replace(str(domain.uuid), other)
        assert "UUID" in error_of(write(browser, domain, text))

    def test_what_nobody_may_is_not_applied(self, browser: Client, domain: Domain) -> None:
        text = text_of(domain, browser).replace("</devices>", "<emulator>/tmp/x</emulator></devices>")
        place = write(browser, domain, text)["Location"]
        preview = browser.get(place).content.decode()
        assert "Nobody may do this here." in preview
        assert 'name="password"' not in preview

        answer = browser.post(place, {"password": PASSWORD, "allow": "devices/emulator /tmp/x"})

        assert answer.status_code == 422
        assert not Operation.objects.exists()

    def test_what_one_may_is_ticked_and_audited(self, browser: Client, domain: Domain) -> None:
        text = text_of(domain, browser).replace("</devices>", f"{FOREIGN}</devices>")
        place = write(browser, domain, text)["Location"]
        assert "/opt/out.log lies in none" in browser.get(place).content.decode()
        assert "Not allowed yet" in error_of(browser.post(place, {"password": PASSWORD}))

        key = "devices/serial/source /opt/out.log"
        assert browser.post(place, {"allow": key}).status_code == 302

        assert Entry.objects.get(verb="domain.define").details["allowed"] == [key]
        assert draft().ticked == [key]

    @pytest.mark.parametrize("password", ["", "wrong"])
    def test_without_the_password_nothing_is_applied(
        self, browser: Client, domain: Domain, password: str
    ) -> None:
        place = write(browser, domain, definition(domain, memory_mib=64))["Location"]
        answer = browser.post(place, {"password": password})
        assert answer.status_code == 422
        assert "password" in error_of(answer)
        assert not Operation.objects.exists()

    def test_somebody_elses_draft_does_not_exist(self, cast: Cast, browser: Client, domain: Domain) -> None:
        place = write(browser, domain, definition(domain, memory_mib=64))["Location"]
        cast.operator.role = "superuser"
        cast.operator.save()
        other = browser_of(able(cast.operator))
        assert other.get(place).status_code == 404
        assert other.post(place, {"password": PASSWORD}).status_code == 404

    def test_going_on_with_a_draft_replaces_it(self, browser: Client, domain: Domain) -> None:
        write(browser, domain, definition(domain, memory_mib=64))
        again = write(browser, domain, definition(domain, memory_mib=32), draft=draft().uuid)
        assert str(draft().uuid) in again["Location"]

    def test_a_draft_is_thrown_away(self, browser: Client, domain: Domain) -> None:
        place = write(browser, domain, definition(domain, memory_mib=64))["Location"]
        assert browser.post(f"{place}discard/").status_code == 302
        assert not DomainDraft.objects.exists()

    def test_but_not_while_it_is_applied(self, browser: Client, domain: Domain) -> None:
        place = write(browser, domain, definition(domain, memory_mib=64))["Location"]
        browser.post(place, {"password": PASSWORD})
        assert browser.post(f"{place}discard/").status_code == 409

    def test_the_version_in_force_is_not_brought_back(self, browser: Client, domain: Domain) -> None:
        assert browser.post(f"/machines/{domain.uuid}/definition/2/bring-back/").status_code == 422

    def test_a_machine_without_a_definition_is_not_defined(self, browser: Client, domain: Domain) -> None:
        Domain.objects.update(persistent=False)
        place = write(browser, domain, definition(domain, memory_mib=64))["Location"]
        assert browser.post(place, {"password": PASSWORD}).status_code == 409
