"""Changing what a machine is: the definition, and what runs of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from lxml.builder import E

from domains.actions.options import change, start_from
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
from domains.options import defined, live
from operations.models import Operation
from tests.faults.cases.base import Case, Ground


class Change(Case):
    """One option of the definition, which tells by `before` and `after` what became of it."""

    state: ClassVar[DomainState] = DomainState.OFF
    shape: ClassVar[Callable[[Any], None] | None] = None
    wish: ClassVar[Wish]
    option: ClassVar[str]
    before: ClassVar[Any]
    after: ClassVar[Any]

    def prepare(self, ground: Ground) -> Domain:
        domain = ground.machine(state=self.state, change=type(self).shape)
        assert defined(domain)[self.option] == self.before
        return domain

    def ask(self, ground: Ground, thing: Domain) -> Operation:
        thing = Domain.objects.select_related("host", "team").get(pk=thing.pk)
        return change(wish=self.wish, domain=thing, actor=ground.actor)

    def done(self, ground: Ground, thing: Domain) -> None:
        assert defined(ground.seen(thing.uuid))[self.option] == self.after

    def undone(self, ground: Ground, thing: Domain) -> None:
        assert defined(ground.seen(thing.uuid))[self.option] == self.before


def _with_drive(root: Any) -> None:
    drive = E.disk(E.target(dev="sda", bus="sata"), E.readonly(), type="file", device="cdrom")
    root.find("devices").append(drive)


class Boot(Change):
    kind = "domain.change.boot"
    shape = _with_drive
    wish, option = BootWish(devices=("sda", "vda")), "boot"
    before, after = ["vda"], ["sda", "vda"]


class Firmware(Change):
    kind = "domain.change.firmware"
    wish, option = FirmwareWish(firmware="uefi"), "firmware"
    before, after = "bios", "uefi"


class Tpm(Change):
    kind = "domain.change.tpm"
    wish, option = TpmWish(tpm=True), "tpm"
    before, after = "", "2.0"


class Clock(Change):
    kind = "domain.change.clock"
    wish, option = ClockWish(clock="Europe/Berlin"), "clock"
    before, after = "utc", "Europe/Berlin"


def _roomy(root: Any) -> None:
    root.find("vcpu").text = "2"
    root.find("vcpu").set("current", "1")
    root.find("memory").addnext(E.currentMemory("24", unit="MiB"))


class Live(Change):
    """What runs changes first; where that is taken back, both are as before."""

    state = DomainState.RUNNING
    shape = _roomy

    def done(self, ground: Ground, thing: Domain) -> None:
        super().done(ground, thing)
        self._runs_with(ground, thing, self.after)

    def undone(self, ground: Ground, thing: Domain) -> None:
        super().undone(ground, thing)
        self._runs_with(ground, thing, self.before)

    def _runs_with(self, ground: Ground, thing: Domain, value: Any) -> None:
        running = live(ground.seen(thing.uuid))
        assert running is not None
        assert running[self.option] == value


class Cpu(Live):
    """A vCPU that was plugged in can't be pulled out of a guest that doesn't help."""

    kind = "domain.change.cpu"
    wish, option = CpuWish(vcpus=2, vcpus_max=2, cpu="qemu64", now=True), "vcpus"
    before, after = 1, 2
    can_be_cancelled = False


class Memory(Live):
    """How much it really has is up to a driver that this guest lacks."""

    kind = "domain.change.memory"
    wish, option = MemoryWish(memory_mib=28, memory_max_mib=32, now=True), "memory_mib"
    before, after = 24, 28

    def _runs_with(self, ground: Ground, thing: Domain, value: Any) -> None:
        assert ground.state(thing.uuid) == "running"


class Label(Case):
    """In the definition and in what runs; once the one has it, so must the other."""

    kind = "domain.change.label"
    can_be_cancelled = False

    def prepare(self, ground: Ground) -> Domain:
        return ground.machine(state=DomainState.PAUSED, disk=False)

    def ask(self, ground: Ground, thing: Domain) -> Operation:
        thing = Domain.objects.select_related("host", "team").get(pk=thing.pk)
        return change(wish=LabelWish(title="<t>", tags=("a", "b")), domain=thing, actor=ground.actor)

    def done(self, ground: Ground, thing: Domain) -> None:
        found = ground.seen(thing.uuid)
        assert (found.title, found.tags) == ("<t>", ["a", "b"])
        assert ground.dumpxml(thing.uuid).findtext("title") == "<t>"

    def undone(self, ground: Ground, thing: Domain) -> None:
        assert ground.seen(thing.uuid).title == ""
        assert ground.dumpxml(thing.uuid).findtext("title") is None


class StartFrom(Case):
    """It boots from the other device once; its definition is never touched."""

    kind = "domain.start-from"
    can_be_cancelled = False

    def prepare(self, ground: Ground) -> tuple[Domain, str]:
        domain = ground.machine(change=_with_drive)
        return domain, ground.document(domain.uuid)

    def ask(self, ground: Ground, thing: tuple[Domain, str]) -> Operation:
        domain = Domain.objects.select_related("host", "team").get(pk=thing[0].pk)
        return start_from(device="sda", domain=domain, actor=ground.actor)

    def done(self, ground: Ground, thing: tuple[Domain, str]) -> None:
        domain, before = thing
        running = live(ground.seen(domain.uuid))
        assert running is not None
        assert running["boot"][0] == "sda"
        assert ground.document(domain.uuid) == before

    def undone(self, ground: Ground, thing: tuple[Domain, str]) -> None:
        domain, before = thing
        assert ground.state(domain.uuid) == "shut off"
        assert ground.document(domain.uuid) == before
