"""A real agent in a real guest: what it tells, and what it is asked to do."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest
from django.core import serializers
from django.db import connection
from django.urls import reverse
from lxml import etree
from lxml.builder import E

import domains.guest_inventory as inventory
from audit.models import Entry
from core.errors import Conflict, InvalidInput
from domains.actions import guest as actions
from domains.actions.guest import GuestVerb
from domains.models import AgentState, Domain, DomainState, GuestSecret
from hosts.connections import borrow, open_isolated
from hypervisor.guest_facts import AgentLink, GuestFacts
from operations.models import Operation, OperationLog, OperationState, OperationStep
from tests.conftest import Cast, browser_of, program_of
from tests.eventually import eventually
from tests.faults.cases.base import Ground
from tests.lab.agent_guest import agent_machine
from tests.lab.host import LabHost
from tests.stage import adopt, carry_out
from watcher.aside import Aside
from watcher.reading import read_guests

CANARY = "c4nary-p4ssword"


@pytest.fixture(scope="module")
def running(lab_host: LabHost) -> Iterator[tuple[str, Path]]:
    """A machine whose agent answers, and what it writes to its serial line; it serves all tests of this file."""
    uuid, serial = _boot(lab_host, "agent", "dhcp=yes")
    yield uuid, serial
    lab_host.virsh("destroy", uuid)


def _boot(lab: LabHost, name: str, more: str) -> tuple[str, Path]:
    serial, disk = lab.root / f"{name}.log", lab.root / f"{name}.img"
    lab.exec("qemu-img", "create", "-q", "-f", "raw", str(disk), "64M")
    serial.touch()
    root = agent_machine(name, disk=disk, serial=serial, more=more)
    card = E.interface(E.source(network="default"), E.model(type="virtio"), type="network")
    root.find("devices").append(card)
    file = lab.root / f"{name}.xml"
    file.write_bytes(etree.tostring(root))
    lab.virsh("create", str(file))
    connected = "state='connected'"
    eventually(lambda: connected in lab.virsh("dumpxml", name), within_s=90)
    return lab.virsh("domuuid", name).strip(), serial


@pytest.fixture
def ground(transactional_db: None, cast: Cast, lab_host: LabHost) -> Ground:
    return Ground(lab_host, adopt(lab_host), cast.operator)


@pytest.fixture
def domain(ground: Ground, running: tuple[str, Path]) -> Domain:
    return ground.seen(UUID(running[0]))


def listen(ground: Ground, domain: Domain) -> GuestFacts:
    """As the watcher does."""
    with borrow(ground.host) as hypervisor:
        facts: GuestFacts = hypervisor.read_guest(domain.uuid)
    inventory.record_guests(ground.host, {domain.uuid: facts})
    return facts


def done(operation: Operation) -> Operation:
    ended = carry_out(operation.pk)
    assert ended.state == OperationState.SUCCEEDED, ended.error
    return ended


class TestFacts:
    def test_stand_on_the_pages_with_their_sources(self, ground: Ground, domain: Domain, cast: Cast) -> None:
        eventually(lambda: "10.213" in ground.lab.virsh("domifaddr", str(domain.uuid)), within_s=60)
        listen(ground, domain)
        address = domain.addresses.get()
        assert (address.lease, address.agent, address.prefix) == (True, True, 24)
        page = browser_of(ground.actor).get(reverse("domains:guest", args=[domain.uuid])).content.decode()
        assert f"{address.address}/24" in page
        assert "DHCP lease, guest agent" in page
        assert "Tiny 1 &lt;b&gt;(agent)&lt;/b&gt;" in page
        assert "/data" in page
        overview = browser_of(ground.actor).get(reverse("domains:detail", args=[domain.uuid]))
        assert "agent-guest" in overview.content.decode()

        found = browser_of(ground.actor).get(reverse("domains:list"), {"q": address.address}).content.decode()
        assert "agent</a>" in found
        assert address.address in found
        told = program_of(ground.actor).get(f"/api/v1/domains/{domain.uuid}/guest").json()
        assert (told["agent"], told["hostname"]) == ("connected", "agent-guest")
        assert told["filesystems"][0]["mountpoint"] == "/data"

    def test_come_aside_by_the_watchers_lane(self, ground: Ground, domain: Domain) -> None:
        deaf = os.eventfd(0)
        with open_isolated(ground.host, deadline_s=20) as hypervisor:
            aside = Aside(hypervisor)
            aside.start(lambda: read_guests(ground.host, lambda write, *given: write(*given)))  # type: ignore[arg-type]
            for _ in range(100):
                aside.go_on()
                if aside.question is None:
                    break
                hypervisor.wait(1.0, wake=deaf)
        os.close(deaf)
        domain.refresh_from_db()
        assert (domain.guest.agent, domain.guest.os) == (AgentState.CONNECTED, "Tiny 1 <b>(agent)</b>")

    def test_do_not_outlive_the_run(self, ground: Ground, domain: Domain) -> None:
        listen(ground, domain)
        assert inventory.to_ask(ground.host) == [domain.uuid]
        Domain.objects.filter(pk=domain.pk).update(state=DomainState.OFF)
        page = browser_of(ground.actor).get(reverse("domains:guest", args=[domain.uuid])).content.decode()
        assert "agent-guest" not in page
        assert inventory.to_ask(ground.host) == []
        assert not domain.addresses.exists()

    def test_of_one_that_is_silent_keep_their_age(self, ground: Ground, domain: Domain) -> None:
        listen(ground, domain)
        silent = GuestFacts(link=AgentLink.SILENT, addresses=(), told=None)
        inventory.record_guests(ground.host, {domain.uuid: silent})
        domain.refresh_from_db()
        assert (domain.guest.agent, domain.guest.hostname) == (AgentState.SILENT, "agent-guest")
        assert domain.guest.told_at is not None


class TestCommands:
    def test_ask_the_agent_for_its_clock(self, domain: Domain, cast: Cast) -> None:
        ended = done(actions.command(verb=GuestVerb.PING, domain=domain, actor=cast.operator))
        assert "answered in" in ended.log.get().text

    def test_trim(self, domain: Domain, cast: Cast) -> None:
        done(actions.command(verb=GuestVerb.TRIM, domain=domain, actor=cast.operator))

    def test_freeze_thaws_by_itself(self, ground: Ground, domain: Domain) -> None:
        asked = actions.freeze(domain=domain, seconds=2, actor=ground.actor)
        assert carry_out(asked.pk).state == OperationState.QUEUED
        assert frozen(ground, domain)
        time.sleep(2)
        Operation.objects.filter(pk=asked.pk).update(not_before=None)
        done(asked)
        assert not frozen(ground, domain)

    def test_freeze_thaws_when_asked_to(self, ground: Ground, domain: Domain) -> None:
        asked = actions.freeze(domain=domain, seconds=600, actor=ground.actor)
        carry_out(asked.pk)
        assert frozen(ground, domain)
        again = actions.command(verb=GuestVerb.THAW, domain=domain, actor=ground.actor)
        assert again.pk == asked.pk
        assert carry_out(asked.pk).state == OperationState.CANCELLED
        assert not frozen(ground, domain)

    def test_thaw_what_virsh_froze(self, ground: Ground, domain: Domain) -> None:
        ground.lab.virsh("domfsfreeze", str(domain.uuid))
        done(actions.command(verb=GuestVerb.THAW, domain=domain, actor=ground.actor))
        assert not frozen(ground, domain)

    @pytest.mark.parametrize("seconds", [0, -1, 601])
    def test_freeze_has_limits(self, domain: Domain, cast: Cast, seconds: int) -> None:
        with pytest.raises(InvalidInput):
            actions.freeze(domain=domain, seconds=seconds, actor=cast.operator)

    def test_make_no_sense_while_it_is_off(self, domain: Domain, cast: Cast) -> None:
        domain.state = DomainState.OFF
        with pytest.raises(Conflict, match="is off"):
            actions.command(verb=GuestVerb.PING, domain=domain, actor=cast.operator)


class TestPassword:
    def test_reaches_the_guest_and_is_nowhere_else(
        self, ground: Ground, domain: Domain, running: tuple[str, Path], caplog: pytest.LogCaptureFixture
    ) -> None:
        address = reverse("domains:guest_password", args=[domain.uuid])
        answer = browser_of(ground.actor).post(address, {"user": "root", "password": CANARY})
        assert answer.status_code == 200
        operation = Operation.objects.get()
        done(operation)
        digest = hashlib.sha256(f"root:{CANARY}".encode()).hexdigest()
        eventually(lambda: digest in running[1].read_text(errors="replace"), within_s=10)

        assert not GuestSecret.objects.exists()
        rows = [*Operation.objects.all(), *OperationStep.objects.all(), *OperationLog.objects.all()]
        kept = serializers.serialize("json", [*rows, *Entry.objects.all()])
        assert "root" in kept
        assert CANARY not in kept
        assert CANARY not in answer.content.decode()
        assert CANARY not in caplog.text
        assert CANARY not in (ground.lab.root / "log" / "qemu" / "agent.log").read_text()

    def test_is_sealed_while_it_waits(self, ground: Ground, domain: Domain) -> None:
        actions.set_password(domain=domain, user="root", password=CANARY, actor=ground.actor)
        with connection.cursor() as cursor:
            cursor.execute("SELECT text FROM domains_guestsecret")
            assert CANARY not in cursor.fetchone()[0]
        assert CANARY not in json.dumps(Operation.objects.get().params)

    def test_by_rest_is_not_in_the_answer_to_a_mistake(self, domain: Domain, cast: Cast) -> None:
        program, address = program_of(cast.operator), f"/api/v1/domains/{domain.uuid}/guest/password"
        body = json.dumps({"user": "a:b", "password": CANARY})
        answer = program.post(address, body, content_type="application/json")
        assert (answer.status_code, CANARY in answer.content.decode()) == (422, False)
        wrong = program.post(address, json.dumps({"password": [CANARY]}), content_type="application/json")
        assert (wrong.status_code, CANARY in wrong.content.decode()) == (422, False)

    @pytest.mark.parametrize(
        ("user", "password", "field"),
        [
            ("", "x", "user"),
            ("root:x", "x", "user"),
            ("root\nroot", "x", "user"),
            ("u" * 65, "x", "user"),
            ("root", "", "password"),
            ("root", "x\nroot:y", "password"),
            ("root", "x\x00", "password"),
            ("root", "x" * 257, "password"),
        ],
    )
    def test_refuses_what_the_guest_could_misread(
        self, domain: Domain, cast: Cast, user: str, password: str, field: str
    ) -> None:
        with pytest.raises(InvalidInput) as refused:
            actions.set_password(domain=domain, user=user, password=password, actor=cast.operator)
        assert refused.value.field == field
        assert not GuestSecret.objects.exists()


class TestSilence:
    def test_of_an_agent_lasts_five_seconds_and_is_told(self, ground: Ground) -> None:
        uuid, _ = _boot(ground.lab, "mute", "mute=yes")
        try:
            domain = ground.seen(UUID(uuid))
            began = time.monotonic()
            assert listen(ground, domain).link is AgentLink.SILENT
            assert 4 < time.monotonic() - began < 9
            ended = carry_out(actions.command(verb=GuestVerb.TRIM, domain=domain, actor=ground.actor).pk)
            assert (ended.state, "can't be asked" in ended.error) == (OperationState.FAILED, True)
            page = browser_of(ground.actor).get(reverse("domains:guest", args=[uuid])).content.decode()
            assert "does not answer" in page
        finally:
            ground.lab.virsh("destroy", uuid)


def frozen(ground: Ground, domain: Domain) -> bool:
    status = '{"execute":"guest-fsfreeze-status"}'
    return "frozen" in ground.lab.virsh("qemu-agent-command", str(domain.uuid), status)
