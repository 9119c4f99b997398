"""Switching machines on and off."""

from __future__ import annotations

from typing import ClassVar

from domains.actions.delete import delete
from domains.actions.power import power
from domains.models import Domain, DomainState
from domains.power import PowerVerb
from operations.models import Operation
from storage.models import Volume
from tests.faults.cases.base import Case, Ground


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


class Shutdown(Switch):
    """This guest ignores the power button."""

    kind = "domain.shutdown"
    verb, before = PowerVerb.SHUTDOWN, DomainState.RUNNING
    words_before, words_after = "running", "running"


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
