"""Switching machines on and off."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any, ClassVar
from uuid import uuid4

from lxml.builder import E

from domains.actions.bulk import bulk
from domains.actions.delete import delete
from domains.actions.power import power
from domains.models import Domain, DomainState
from domains.power import PowerVerb
from hosts.models import Host, HostState
from operations.models import Operation
from storage.models import Volume
from tests.eventually import eventually
from tests.faults.cases.base import Case, Ground
from tests.lab.guest import COMMAND_LINE, READY, tiny_guest


class Switch(Case):
    """From one state to another by one verb."""

    verb: ClassVar[PowerVerb]
    before: ClassVar[DomainState]
    # As virsh calls them.
    words_before: ClassVar[str]
    words_after: ClassVar[str]
    can_be_cancelled = False

    def prepare(self, ground: Ground) -> Domain:
        return ground.machine(state=self.before, disk=False)

    def ask(self, ground: Ground, thing: Domain) -> Operation:
        return power(verb=self.verb, domain=thing, actor=ground.actor)

    def done(self, ground: Ground, thing: Domain) -> None:
        assert ground.state(thing.uuid) == self.words_after

    def undone(self, ground: Ground, thing: Domain) -> None:
        assert ground.state(thing.uuid) == self.words_before


class Start(Switch):
    kind = "domain.start"
    verb, before = PowerVerb.START, DomainState.OFF
    words_before, words_after = "shut off", "running"


class ForceOff(Switch):
    kind = "domain.force-off"
    verb, before = PowerVerb.FORCE_OFF, DomainState.PAUSED
    words_before, words_after = "paused", "shut off"


class Suspend(Switch):
    kind = "domain.suspend"
    verb, before = PowerVerb.SUSPEND, DomainState.RUNNING
    words_before, words_after = "running", "paused"


class Resume(Switch):
    kind = "domain.resume"
    verb, before = PowerVerb.RESUME, DomainState.PAUSED
    words_before, words_after = "paused", "running"


class Reset(Switch):
    kind = "domain.reset"
    verb, before = PowerVerb.RESET, DomainState.PAUSED
    words_before, words_after = "paused", "paused"


class Reboot(Switch):
    kind = "domain.reboot"
    verb, before = PowerVerb.REBOOT, DomainState.RUNNING
    words_before, words_after = "running", "running"


class StartPaused(Switch):
    kind = "domain.start-paused"
    verb, before = PowerVerb.START_PAUSED, DomainState.OFF
    words_before, words_after = "shut off", "paused"


class Save(Switch):
    kind = "domain.save"
    verb, before = PowerVerb.SAVE, DomainState.PAUSED
    words_before, words_after = "paused", "shut off"

    def done(self, ground: Ground, thing: Domain) -> None:
        super().done(ground, thing)
        assert ground.seen(thing.uuid).managed_save


class Saved(Switch):
    """With saved memory, which is gone afterwards."""

    before = DomainState.PAUSED
    words_before = "shut off"

    def prepare(self, ground: Ground) -> Domain:
        domain = super().prepare(ground)
        ground.lab.virsh("managedsave", str(domain.uuid))
        return ground.seen(domain.uuid)

    def done(self, ground: Ground, thing: Domain) -> None:
        super().done(ground, thing)
        assert not ground.seen(thing.uuid).managed_save


class StartFresh(Saved):
    """It was saved paused: one that went on from there would be so again."""

    kind = "domain.start-fresh"
    verb, words_after = PowerVerb.START_FRESH, "running"


class DiscardSaved(Saved):
    kind = "domain.discard-saved"
    verb, words_after = PowerVerb.DISCARD_SAVED, "shut off"


class Autostart(Switch):
    before = DomainState.OFF
    words_before = words_after = "shut off"
    enabled: ClassVar[bool]

    def prepare(self, ground: Ground) -> Domain:
        domain = super().prepare(ground)
        ground.lab.virsh("autostart", str(domain.uuid), *(["--disable"] if self.enabled else []))
        return ground.seen(domain.uuid)

    def done(self, ground: Ground, thing: Domain) -> None:
        assert ground.seen(thing.uuid).autostart is self.enabled


class AutostartOn(Autostart):
    kind = "domain.autostart-on"
    verb, enabled = PowerVerb.AUTOSTART_ON, True


class AutostartOff(Autostart):
    kind = "domain.autostart-off"
    verb, enabled = PowerVerb.AUTOSTART_OFF, False


class Bulk(Case):
    """Each machine is begun with once, whenever the worker dies."""

    kind = "domain.bulk"
    can_be_cancelled = False

    def prepare(self, ground: Ground) -> list[Domain]:
        Host.objects.filter(pk=ground.host.pk).update(state=HostState.UP)
        return [ground.machine(disk=False) for _ in range(2)]

    def ask(self, ground: Ground, thing: list[Domain]) -> Operation:
        keys = [domain.uuid for domain in thing]
        return bulk(verb=PowerVerb.START_PAUSED, machines=keys, actor=ground.actor)

    def done(self, ground: Ground, thing: list[Domain]) -> None:
        for domain in thing:
            assert ground.state(domain.uuid) == "paused"
            begun = Operation.objects.about("domain", domain.uuid).filter(kind="domain.start-paused")
            assert begun.count() == 1

    def undone(self, ground: Ground, thing: list[Domain]) -> None:
        """What was switched stays so."""


class Delete(Case):
    """With its disk."""

    kind = "domain.delete"

    def prepare(self, ground: Ground) -> tuple[Domain, Volume]:
        domain = ground.machine(state=DomainState.OFF)
        return domain, Volume.objects.get(path=domain.disks.get().path)

    def ask(self, ground: Ground, thing: tuple[Domain, Volume]) -> Operation:
        domain, volume = thing
        return delete(domain=domain, volumes=[volume.uuid], actor=ground.actor)

    def done(self, ground: Ground, thing: tuple[Domain, Volume]) -> None:
        domain, volume = thing
        assert not ground.exists(domain.uuid)
        assert not Domain.objects.present().filter(uuid=domain.uuid).exists()
        assert not (ground.lab.pool_path / volume.name).exists()

    def undone(self, ground: Ground, thing: tuple[Domain, Volume]) -> None:
        domain, volume = thing
        assert ground.exists(domain.uuid)
        assert (ground.lab.pool_path / volume.name).exists()


class Shutdown(Case):
    """A guest that obeys the power button. It has booted by then: how long that takes here is not the point."""

    kind = "domain.shutdown"

    def prepare(self, ground: Ground) -> Domain:
        log = ground.lab.root / f"{uuid4()}.log"
        guest = ground.machine(state=DomainState.RUNNING, disk=False, change=partial(_boot_tiny_guest, log))
        eventually(lambda: READY in log.read_text(errors="replace"), within_s=180)
        return guest

    def ask(self, ground: Ground, thing: Domain) -> Operation:
        return power(verb=PowerVerb.SHUTDOWN, domain=thing, actor=ground.actor)

    def done(self, ground: Ground, thing: Domain) -> None:
        assert ground.state(thing.uuid) == "shut off"

    def undone(self, ground: Ground, thing: Domain) -> None:
        """A button that was pressed can't be taken back."""


def _boot_tiny_guest(log: Path, root: Any) -> None:
    guest = tiny_guest()
    root.find("os").extend(
        [E.kernel(str(guest.kernel)), E.initrd(str(guest.initrd)), E.cmdline(COMMAND_LINE)]
    )
    root.find("memory").text = "128"
    root.find("devices").append(E.serial(E.source(path=str(log)), type="file"))
