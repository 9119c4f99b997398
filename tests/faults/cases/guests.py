"""What guest agents are asked for, of real agents. One guest boots; all others go on from its memory."""

from __future__ import annotations

import hashlib
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar
from uuid import UUID, uuid4

from lxml import etree
from lxml.builder import E

from domains.actions import guest as actions
from domains.actions.guest import GuestVerb
from domains.models import Domain, GuestSecret
from operations.models import Operation, OperationLog
from tests.eventually import eventually
from tests.faults.cases.base import Case, Ground
from tests.lab.agent_guest import agent_machine
from tests.lab.host import LabHost

_BOOTS_S = 180.0
_WAKES_S = 60.0
_DISK_BYTES = 64 * 1024**2


@dataclass(frozen=True)
class Guest:
    """A machine whose agent answers, with a file system on its disk."""

    domain: Domain
    disk: Path
    serial: Path


class Agent(Case):
    """Of each a machine of its own."""

    verb: ClassVar[GuestVerb]

    def prepare(self, ground: Ground) -> Guest:
        uuid, memory, first = uuid4(), ground.lab.root / "agent.memory", ground.lab.root / "agent.uuid"
        if not first.exists():
            first.write_text(str(_boot_and_save(ground.lab, memory)))
        return _wake(ground, uuid, memory, UUID(first.read_text()))

    def ask(self, ground: Ground, thing: Guest) -> Operation:
        return actions.command(verb=self.verb, domain=thing.domain, actor=ground.actor)

    def done(self, ground: Ground, thing: Guest) -> None:
        assert not _frozen(ground.lab, thing.domain.uuid)

    def undone(self, ground: Ground, thing: Guest) -> None:
        assert not _frozen(ground.lab, thing.domain.uuid)


class Ping(Agent):
    kind = "domain.guest.ping"
    verb = GuestVerb.PING

    def done(self, ground: Ground, thing: Guest) -> None:
        super().done(ground, thing)
        assert _told(thing, "It answered in")


class Trim(Agent):
    """All of the disk's file is there before; what the guest has nothing in is not afterwards."""

    kind = "domain.guest.trim"
    verb = GuestVerb.TRIM

    def prepare(self, ground: Ground) -> Guest:
        guest = super().prepare(ground)
        with guest.disk.open("r+b") as file:
            os.posix_fallocate(file.fileno(), 0, _DISK_BYTES)
        return guest

    def done(self, ground: Ground, thing: Guest) -> None:
        super().done(ground, thing)
        assert 512 * thing.disk.stat().st_blocks < _DISK_BYTES / 2


class Thaw(Agent):
    """What virsh froze."""

    kind = "domain.guest.thaw"
    verb = GuestVerb.THAW

    def prepare(self, ground: Ground) -> Guest:
        guest = super().prepare(ground)
        ground.lab.virsh("domfsfreeze", str(guest.domain.uuid))
        return guest


class Freeze(Agent):
    """For a second: nothing stays frozen, whoever dies."""

    kind = "domain.guest.freeze"

    def ask(self, ground: Ground, thing: Guest) -> Operation:
        return actions.freeze(domain=thing.domain, seconds=1, actor=ground.actor)

    def done(self, ground: Ground, thing: Guest) -> None:
        super().done(ground, thing)
        assert _told(thing, "are frozen")
        assert _told(thing, "thawed")


class Password(Agent):
    """It reaches the guest, and is kept nowhere."""

    kind = "domain.guest.password"

    def ask(self, ground: Ground, thing: Guest) -> Operation:
        password = _password(thing)
        return actions.set_password(domain=thing.domain, user="root", password=password, actor=ground.actor)

    def done(self, ground: Ground, thing: Guest) -> None:
        super().done(ground, thing)
        digest = hashlib.sha256(f"root:{_password(thing)}".encode()).hexdigest()
        eventually(lambda: digest in thing.serial.read_text(errors="replace"), within_s=10)
        operation = Operation.objects.about("domain", thing.domain.uuid).get()
        assert not GuestSecret.objects.filter(uuid=operation.params["secret"]).exists()


def _password(guest: Guest) -> str:
    return f"secret of {guest.domain.uuid}"


def _told(guest: Guest, words: str) -> bool:
    told = OperationLog.objects.filter(operation__target_id=guest.domain.uuid, text__contains=words)
    return told.exists()


def _frozen(lab: LabHost, uuid: UUID) -> bool:
    status = '{"execute":"guest-fsfreeze-status"}'
    return "frozen" in lab.virsh("qemu-agent-command", str(uuid), status)


def _files(lab: LabHost, uuid: UUID) -> tuple[Path, Path]:
    return lab.root / f"{uuid}.disk", lab.root / f"{uuid}.serial"


def _define(lab: LabHost, uuid: UUID) -> None:
    disk, serial = _files(lab, uuid)
    serial.touch()
    root: Any = agent_machine(f"agent-{uuid}", disk=disk, serial=serial)
    root.append(E.uuid(str(uuid)))
    with lab.connect() as connection:
        connection.defineXMLFlags(etree.tostring(root, encoding="unicode"), 0)


def _boot_and_save(lab: LabHost, memory: Path) -> UUID:
    """The machine's UUID; its memory and its disk are kept, and nothing else of it."""
    uuid = uuid4()
    disk, _ = _files(lab, uuid)
    disk.touch()
    os.truncate(disk, _DISK_BYTES)
    _define(lab, uuid)
    lab.virsh("start", str(uuid))
    eventually(lambda: _answers(lab, uuid), within_s=_BOOTS_S)
    lab.virsh("save", str(uuid), str(memory))
    lab.virsh("undefine", str(uuid))
    return uuid


def _wake(ground: Ground, uuid: UUID, memory: Path, first: UUID) -> Guest:
    """One that goes on where `first` was saved. libvirt's file begins with the definition: the same one but for it."""
    lab, own = ground.lab, ground.lab.root / f"{uuid}.memory"
    disk, serial = _files(lab, uuid)
    subprocess.run(["cp", "--sparse=always", str(_files(lab, first)[0]), str(disk)], check=True)
    own.write_bytes(memory.read_bytes().replace(str(first).encode(), str(uuid).encode()))
    _define(lab, uuid)
    lab.virsh("restore", str(own))
    own.unlink()
    eventually(lambda: _answers(lab, uuid), within_s=_WAKES_S)
    return Guest(ground.seen(uuid), disk, serial)


def _answers(lab: LabHost, uuid: UUID) -> bool:
    if "state='connected'" not in lab.virsh("dumpxml", str(uuid)):
        return False
    return not _frozen(lab, uuid)
