"""Into the trash, out of it again, or away for good."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from django.utils import timezone

from domains import inventory
from domains.actions import trash as actions
from domains.actions.delete import trash
from domains.models import Domain, Trashed, TrashedDisk
from operations.models import Operation
from storage.models import Volume
from tests.faults.cases.base import Case, Ground


@dataclass
class Thing:
    """A machine with its disk."""

    domain: Domain
    volume: Volume


def machine(ground: Ground) -> Thing:
    domain = ground.machine()
    return Thing(domain, Volume.objects.get(path=domain.disks.get().path))


def entry_of(thing: Thing) -> Trashed:
    entry: Trashed = Trashed.objects.select_related("domain__team", "host").get(domain=thing.domain)
    return entry


def is_away(ground: Ground, thing: Thing) -> None:
    assert not ground.exists(thing.domain.uuid)
    assert not Domain.objects.present().filter(pk=thing.domain.pk).exists()
    assert (ground.lab.pool_path / thing.volume.name).exists()
    assert entry_of(thing).since is not None


def is_there(ground: Ground, thing: Thing) -> None:
    assert ground.exists(thing.domain.uuid)
    assert Domain.objects.present().filter(pk=thing.domain.pk).exists()
    assert (ground.lab.pool_path / thing.volume.name).exists()
    assert not Trashed.objects.filter(domain=thing.domain).exists()


class Trash(Case):
    kind = "domain.trash"

    def prepare(self, ground: Ground) -> Thing:
        return machine(ground)

    def ask(self, ground: Ground, thing: Thing) -> Operation:
        return trash(domain=thing.domain, volumes=[thing.volume.uuid], actor=ground.actor)

    def done(self, ground: Ground, thing: Thing) -> None:
        is_away(ground, thing)

    def undone(self, ground: Ground, thing: Thing) -> None:
        is_there(ground, thing)


class _InTheTrash(Case):
    def prepare(self, ground: Ground) -> Thing:
        thing = machine(ground)
        entry = Trashed.objects.create(
            domain=thing.domain,
            host=ground.host,
            definition=ground.document(thing.domain.uuid),
            since=timezone.now(),
            until=timezone.now() + timedelta(days=1),
        )
        TrashedDisk.objects.create(trashed=entry, target="vda", path=thing.volume.path, doomed=True)
        ground.lab.virsh("undefine", str(thing.domain.uuid))
        inventory.record_gone(ground.host, thing.domain.uuid)
        return thing

    def undone(self, ground: Ground, thing: Thing) -> None:
        is_away(ground, thing)


class Restore(_InTheTrash):
    kind = "domain.restore"

    def ask(self, ground: Ground, thing: Thing) -> Operation:
        return actions.restore(entry=entry_of(thing), actor=ground.actor)

    def done(self, ground: Ground, thing: Thing) -> None:
        is_there(ground, thing)


class Purge(_InTheTrash):
    kind = "domain.purge"

    def ask(self, ground: Ground, thing: Thing) -> Operation:
        return actions.purge(entry=entry_of(thing), volumes=[thing.volume.uuid], actor=ground.actor)

    def done(self, ground: Ground, thing: Thing) -> None:
        assert not ground.exists(thing.domain.uuid)
        assert not (ground.lab.pool_path / thing.volume.name).exists()
        assert not Trashed.objects.filter(domain=thing.domain).exists()
