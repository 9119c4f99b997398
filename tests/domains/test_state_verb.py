"""Every kind of operation on a machine, in every state that a real machine can be brought into.

What the table of `domains.lifecycle` refuses is refused with its reason, by REST and on the page alike; what it allows
succeeds, or fails with a reason that people can read. Also where the inventory is behind, because somebody used virsh,
and where the host does not answer.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from html import unescape
from pathlib import Path
from typing import Final
from uuid import uuid4

import pytest
from django.db import transaction
from lxml import etree
from lxml.builder import E
from pytest_django import Settings

from accounts.models import User
from core.errors import Conflict, PanelError
from domains import inventory
from domains.actions.ask import ask
from domains.actions.delete import delete, trash
from domains.actions.guest import GuestVerb, command
from domains.actions.options import change, start_from
from domains.actions.power import power
from domains.actions.rename import rename
from domains.actions.snapshots import take
from domains.actions.template import make_machine, make_template
from domains.lifecycle import RULES, refusal
from domains.models import Domain, DomainState
from domains.option_wishes import (
    BootWish,
    ClockWish,
    CpuWish,
    FirmwareWish,
    LabelWish,
    MemoryWish,
    TpmWish,
    Wish,
)
from domains.power import PowerVerb
from hosts.connections import borrow
from hosts.models import Host, HostState
from operations.models import Operation, OperationState
from tests.conftest import Cast, browser_of, program_of
from tests.eventually import eventually
from tests.lab.host import LabHost
from tests.operations.conftest import carry_on

MIB = 1024**2
Deed = Callable[[Domain, User], Operation]


def _power(verb: PowerVerb) -> Deed:
    return lambda domain, actor: power(verb=verb, domain=domain, actor=actor)


def _guest(verb: GuestVerb) -> Deed:
    return lambda domain, actor: command(verb=verb, domain=domain, actor=actor)


def _change(wish: Wish) -> Deed:
    return lambda domain, actor: change(wish=wish, domain=domain, actor=actor)


# How each kind is asked for, of any machine.
DEEDS: Final[dict[str, Deed]] = {verb.kind: _power(verb) for verb in PowerVerb} | {
    "domain.change.boot": _change(BootWish(devices=("sda",))),
    "domain.change.clock": _change(ClockWish(clock="localtime")),
    "domain.change.cpu": _change(CpuWish(vcpus=2, vcpus_max=2, cpu="qemu64")),
    "domain.change.firmware": _change(FirmwareWish(firmware="uefi")),
    "domain.change.label": _change(LabelWish(title="<b>", tags=("a",))),
    "domain.change.memory": _change(MemoryWish(memory_mib=24, memory_max_mib=32, now=True)),
    "domain.change.tpm": _change(TpmWish(tpm=True)),
    "domain.delete": lambda domain, actor: delete(domain=domain, volumes=[], actor=actor),
    "domain.guest.ping": _guest(GuestVerb.PING),
    "domain.guest.trim": _guest(GuestVerb.TRIM),
    "domain.rename": lambda domain, actor: rename(domain=domain, name=f"n-{uuid4()}", actor=actor),
    "domain.snapshot.create": lambda domain, actor: take(domain=domain, label="<b>", actor=actor),
    "domain.start-from": lambda domain, actor: start_from(device="sda", domain=domain, actor=actor),
    "domain.template": lambda domain, actor: make_template(domain=domain, cleared=(), actor=actor),
    "domain.trash": lambda domain, actor: trash(domain=domain, volumes=[], actor=actor),
    "domain.untemplate": lambda domain, actor: make_machine(domain=domain, actor=actor),
}
# Kinds that need things beside the machine, with the file that tries them on one that runs and on one that is off.
ELSEWHERE: Final = {
    "domain.clone": "test_clone.py",
    "domain.define": "test_define.py",
    "domain.device.add": "test_devices.py",
    "domain.device.change": "test_devices.py",
    "domain.device.detach": "test_devices.py",
    "domain.disk.add": "test_disks.py",
    "domain.disk.attach": "test_disks.py",
    "domain.disk.change": "test_disks.py",
    "domain.disk.detach": "test_disks.py",
    "domain.disk.resize": "test_disks.py",
    "domain.drive.add": "test_media.py",
    "domain.drive.detach": "test_media.py",
    "domain.guest.freeze": "test_guest.py",
    "domain.guest.password": "test_guest.py",
    "domain.guest.thaw": "test_guest.py",
    "domain.hostdev.attach": "test_devices.py",
    "domain.hostdev.detach": "test_devices.py",
    "domain.media.change": "test_media.py",
    "domain.nic.add": "test_nics.py",
    "domain.nic.change": "test_nics.py",
    "domain.nic.detach": "test_nics.py",
    "domain.purge": "test_trash.py",
    "domain.restore": "test_trash.py",
    "domain.snapshot.delete": "test_snapshots.py",
    "domain.snapshot.revert": "test_snapshots.py",
}
# What the machine's disk begins with, in place of a boot loader. Panic: 1 to the port of QEMU's panic device (0x505).
# Sleep: the ACPI control register (0x604, where SeaBIOS puts it) gets "S3, now". Then they halt, for ever.
_PANIC: Final = bytes.fromhex("b001 ba0505 ee f4 ebfd")
_SLEEP: Final = bytes.fromhex("b80024 ba0406 ef f4 ebfd")
_HALT: Final = bytes.fromhex("f4 ebfd")
REAL: Final = ("off", "running", "paused", "saved", "crashed", "asleep")
_WORDS: Final = {
    "off": "shut off",
    "saved": "shut off",
    "running": "running",
    "paused": "paused",
    "crashed": "crashed",
    "asleep": "pmsuspended",
}
_MADE_BY: Final = {"crashed": _PANIC, "asleep": _SLEEP}


class Machine:
    """One that can be brought into every state, under one UUID, whatever was done to it before."""

    def __init__(self, lab: LabHost, host: Host) -> None:
        self.lab, self.host, self.uuid = lab, host, uuid4()
        self._disk = lab.root / f"{self.uuid}.raw"

    def bring(self, state: str) -> Domain:
        """Into that state, for real, unless it is so; its row says so."""
        if not self._is(state):
            self.remove()
            self._make(_MADE_BY.get(state, _HALT))
            if state != "off":
                paused = ["--paused"] if state in ("paused", "saved") else []
                self.lab.virsh("start", str(self.uuid), *paused)
            if state == "saved":
                self.lab.virsh("managedsave", str(self.uuid))
            eventually(lambda: self._is(state), within_s=30)
        return self.seen()

    def _is(self, state: str) -> bool:
        if str(self.uuid) not in self.lab.virsh("list", "--all", "--uuid").split():
            return False
        told = self.lab.virsh("dominfo", str(self.uuid))
        seen = {key: value.strip() for key, value in re.findall(r"^([\w ]+):(.*)$", told, re.MULTILINE)}
        return (seen["State"], seen["Managed save"]) == (_WORDS[state], "yes" if state == "saved" else "no")

    def _make(self, program: bytes) -> None:
        self._disk.write_bytes(program.ljust(510, b"\0") + b"\x55\xaa" + bytes(MIB))
        document = self.lab.root / f"{self.uuid}.xml"
        document.write_bytes(etree.tostring(self._definition()))
        self.lab.virsh("define", str(document))

    def seen(self) -> Domain:
        """Its row, as the watcher would write it now, without anything that was decided about it."""
        Domain.objects.filter(uuid=self.uuid).update(template=False, protected=False)
        with borrow(self.host) as hypervisor:
            inventory.record_domain(self.host, hypervisor.read_domain(self.uuid))
        row: Domain = Domain.objects.select_related("host", "team").get(uuid=self.uuid)
        return row

    def remove(self) -> None:
        """From the host."""
        if str(self.uuid) in self.lab.virsh("list", "--uuid").split():
            self.lab.virsh("destroy", str(self.uuid))
        if str(self.uuid) in self.lab.virsh("list", "--all", "--uuid").split():
            self.lab.virsh("undefine", str(self.uuid), "--managed-save", "--snapshots-metadata")

    def _definition(self) -> etree._Element:
        disk = E.disk(
            E.driver(name="qemu", type="raw"),
            E.source(file=str(self._disk)),
            E.target(dev="sda", bus="sata"),
            type="file",
            device="disk",
        )
        return E.domain(
            E.name(f"state-{self.uuid}"),
            E.uuid(str(self.uuid)),
            E.memory("32", unit="MiB"),
            E.os(E.type("hvm", machine="q35")),
            E.features(E.acpi()),
            E.on_crash("preserve"),
            E.pm(E("suspend-to-mem", enabled="yes")),
            E.devices(disk, E.panic(model="isa")),
            type="qemu",
        )


@pytest.fixture
def machine(real_host: Host, lab_host: LabHost, settings: Settings) -> Iterator[Machine]:
    settings.SHUTDOWN_PATIENCE_S = 0
    Host.objects.filter(pk=real_host.pk).update(state=HostState.UP)
    made = Machine(lab_host, Host.objects.get(pk=real_host.pk))
    yield made
    made.remove()


def test_every_kind_is_tried() -> None:
    assert RULES.keys() == DEEDS.keys() | ELSEWHERE.keys()
    assert not DEEDS.keys() & ELSEWHERE.keys()
    assert not [name for name in set(ELSEWHERE.values()) if not (Path(__file__).parent / name).exists()]


def do(kind: str, domain: Domain, actor: User) -> Operation | str:
    """The operation at its end, or why it was refused."""
    try:
        return carry_on(DEEDS[kind](domain, actor))
    except PanelError as error:
        return error.message


def assert_told(outcome: Operation | str, kind: str) -> None:
    """It went well, or says in words why not."""
    if isinstance(outcome, str):
        assert outcome, kind
    elif outcome.state != OperationState.SUCCEEDED:
        assert outcome.state == OperationState.FAILED, (kind, outcome.state)
        assert outcome.error, kind
        assert "The panel broke" not in outcome.error, (kind, outcome.error)


def assert_refused(kind: str, domain: Domain, actor: User, why: str) -> None:
    """With 409 and the reason, which names the machine."""
    assert domain.name in why, kind
    with pytest.raises(Conflict) as refused, transaction.atomic():
        ask(kind, domain=domain, actor=actor)
    assert (refused.value.status, refused.value.message) == (409, why), kind


def on_the_page(domain: Domain, actor: User) -> dict[str, str]:
    """What the machine's page says of each power verb: why not, blank where it is offered."""
    page = browser_of(actor).get(f"/machines/{domain.uuid}/").content.decode()
    head = page[page.index('id="power-menu"') : page.index("machine-tabs")]
    buttons = re.findall(r'/power/([^/]+)/".*?<button([^>]*)>', head, re.DOTALL)
    titles = {verb: re.search(r'disabled\s+title="([^"]*)"', given) for verb, given in buttons}
    return {verb: unescape(title[1]) if title else "" for verb, title in titles.items()}


@pytest.mark.parametrize("state", REAL)
def test_in_a_state(machine: Machine, cast: Cast, state: str) -> None:
    domain, actor = machine.bring(state), cast.superuser
    shown, program = on_the_page(domain, actor), program_of(actor)
    reasons = {kind: refusal(kind, domain) for kind in RULES}
    for verb in PowerVerb:
        why = reasons[verb.kind]
        assert shown.get(verb, why) == why, "the page says the same"
        if why:
            answer = program.post(f"/api/v1/domains/{domain.uuid}/power/{verb}")
            assert (answer.status_code, answer.json()["title"]) == (409, why)
    for kind, why in reasons.items():
        if why:
            assert_refused(kind, domain, actor, why)
    for kind in DEEDS:
        if not reasons[kind]:
            assert_told(do(kind, machine.bring(state), actor), kind)


@pytest.mark.parametrize(
    "state", [state for state in DomainState if state not in (DomainState.RUNNING, DomainState.OFF)]
)
def test_states_that_the_inventory_alone_knows(real_host: Host, cast: Cast, state: DomainState) -> None:
    domain = Domain.objects.create(host=real_host, name="web1", state=state)
    for kind in RULES:
        why = refusal(kind, domain)
        if why:
            assert_refused(kind, domain, cast.superuser, why)
        assert why or state != DomainState.CREATING, f"{kind} while it is being made"


@pytest.mark.parametrize("real", ["off", "running", "gone"])
def test_where_the_inventory_is_behind(machine: Machine, cast: Cast, real: str) -> None:
    for kind in DEEDS:
        domain = machine.bring("running" if real == "running" else "off")
        believed = sorted(RULES[kind].states - {domain.state} or RULES[kind].states)[0]
        _believe(domain, kind, state=believed)
        if real == "gone":
            machine.remove()
        outcome = do(kind, Domain.objects.get(pk=domain.pk), cast.superuser)
        assert_told(outcome, f"{kind}, believed {believed}, is {real}")
        Domain.objects.filter(pk=domain.pk).update(gone_at=None)


def test_on_a_host_that_does_not_answer(machine: Machine, cast: Cast) -> None:
    domain = machine.bring("off")
    Host.objects.filter(pk=machine.host.pk).update(
        state=HostState.DOWN, error="No route to host.", socket="/nowhere/libvirt-sock"
    )
    for kind in DEEDS:
        Domain.objects.filter(pk=domain.pk).update(managed_save=False, template=False, autostart=False)
        _believe(domain, kind, state=sorted(RULES[kind].states)[0])
        outcome = do(kind, Domain.objects.get(pk=domain.pk), cast.superuser)
        told = outcome if isinstance(outcome, str) else outcome.error
        assert told, kind
        assert "The panel broke" not in told, (kind, told)


def _believe(domain: Domain, kind: str, *, state: str) -> None:
    """Let the inventory say what `kind` needs."""
    saved = kind in ("domain.start-fresh", "domain.discard-saved")
    Domain.objects.filter(pk=domain.pk).update(
        state=state,
        managed_save=saved,
        autostart=kind == "domain.autostart-off",
        template=kind == "domain.untemplate",
    )
