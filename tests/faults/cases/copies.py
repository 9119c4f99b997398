"""Clones, names, templates, and disks to take away."""

from __future__ import annotations

import hashlib
from typing import Any
from uuid import uuid4

from accounts.models import User
from domains.actions.clone import clone
from domains.actions.rename import rename
from domains.actions.template import make_machine, make_template
from domains.models import Domain
from domains.wishes import Clone as Wish
from operations.models import Operation
from storage.actions import export
from storage.exported import path_of
from storage.models import Export as Exported
from storage.models import ExportState, Volume, VolumeKind
from tests.faults.cases.base import Case, Ground


class Clone(Case):
    """With one disk, in full."""

    kind = "domain.clone"
    linked = False

    def prepare(self, ground: Ground) -> Any:
        domain = ground.machine()
        Domain.objects.filter(pk=domain.pk).update(template=self.linked)
        return Domain.objects.get(pk=domain.pk), f"copy-{uuid4()}"

    def ask(self, ground: Ground, thing: Any) -> Operation:
        source, name = thing
        new = Wish(source=source, name=name, vcpus=1, memory_mib=64, linked=self.linked)
        return clone(new=new, actor=ground.actor)

    def done(self, ground: Ground, thing: Any) -> None:
        source, name = thing
        [made] = Domain.objects.present().filter(name=name)
        assert ground.exists(made.uuid)
        [path] = made.disks.values_list("path", flat=True)
        volume = Volume.objects.present().get(path=path)
        assert volume.backing_path == (source.disks.get().path if self.linked else "")
        assert _files(ground, name) == {volume.name}

    def undone(self, ground: Ground, thing: Any) -> None:
        source, name = thing
        assert not Domain.objects.present().filter(name=name).exists()
        assert name not in ground.lab.virsh("list", "--all", "--name").split()
        assert _files(ground, name) == set()
        assert ground.exists(source.uuid)


class LinkedClone(Clone):
    """Laid on a template's disk."""

    name = "linked"
    linked = True


class Rename(Case):
    kind = "domain.rename"

    def prepare(self, ground: Ground) -> Domain:
        return ground.machine(disk=False)

    def ask(self, ground: Ground, thing: Domain) -> Operation:
        return rename(domain=thing, name=f"new-{thing.uuid}", actor=ground.actor)

    def done(self, ground: Ground, thing: Domain) -> None:
        assert ground.dumpxml(thing.uuid).findtext("name") == f"new-{thing.uuid}"
        assert Domain.objects.get(pk=thing.pk).name == f"new-{thing.uuid}"

    def undone(self, ground: Ground, thing: Domain) -> None:
        assert ground.dumpxml(thing.uuid).findtext("name") == thing.name


class Template(Case):
    kind = "domain.template"

    def prepare(self, ground: Ground) -> Domain:
        return ground.machine()

    def ask(self, ground: Ground, thing: Domain) -> Operation:
        return make_template(domain=thing, cleared=["logs"], actor=ground.actor)

    def done(self, ground: Ground, thing: Domain) -> None:
        assert _is_template(ground, thing) == (True, True)

    def undone(self, ground: Ground, thing: Domain) -> None:
        assert _is_template(ground, thing) == (False, False)


class Untemplate(Case):
    kind = "domain.untemplate"

    def prepare(self, ground: Ground) -> Domain:
        domain = ground.machine(change=_read_only)
        Domain.objects.filter(pk=domain.pk).update(template=True)
        return Domain.objects.get(pk=domain.pk)

    def ask(self, ground: Ground, thing: Domain) -> Operation:
        return make_machine(domain=thing, actor=ground.actor)

    def done(self, ground: Ground, thing: Domain) -> None:
        assert _is_template(ground, thing) == (False, False)

    def undone(self, ground: Ground, thing: Domain) -> None:
        assert _is_template(ground, thing) == (True, True)


def _files(ground: Ground, name: str) -> set[str]:
    """The files in the pool of what was ever made for the copy `name`."""
    rows = Volume.objects.filter(label=f"{name} disk vda").values_list("name", flat=True)
    return {row for row in rows if (ground.lab.pool_path / row).exists()}


def _is_template(ground: Ground, domain: Domain) -> tuple[bool, bool]:
    """By the inventory, and by its disk on the host."""
    mark = ground.dumpxml(domain.uuid).find("devices/disk/readonly")
    return Domain.objects.get(pk=domain.pk).template, mark is not None


def _read_only(root: Any) -> None:
    disk = root.find("devices/disk")
    disk.append(disk.makeelement("readonly"))


class Export(Case):
    """A qcow2 disk, through a raw copy."""

    kind = "volume.export"

    def prepare(self, ground: Ground) -> Volume:
        volume = ground.volume()
        Volume.objects.filter(pk=volume.pk).update(kind=VolumeKind.DISK)
        return Volume.objects.get(pk=volume.pk)

    def ask(self, ground: Ground, thing: Volume) -> Operation:
        # Each of a person of its own: nobody may keep many at once.
        actor = User.objects.create(username=f"exporter-{uuid4()}", role=ground.actor.role)
        return export(volume=thing, actor=actor)

    def done(self, ground: Ground, thing: Volume) -> None:
        made = Exported.objects.get(volume=thing, state=ExportState.READY)
        content = path_of(made.uuid).read_bytes()
        assert (made.size_bytes, made.sha256) == (len(content), hashlib.sha256(content).hexdigest())
        assert not _copies(ground, thing)

    def undone(self, ground: Ground, thing: Volume) -> None:
        assert not Exported.objects.filter(volume=thing).exists()
        assert not _copies(ground, thing)
        assert (ground.lab.pool_path / thing.name).exists()


def _copies(ground: Ground, volume: Volume) -> set[str]:
    """The files in the pool of raw copies that were ever made of it."""
    rows = Volume.objects.filter(label=f"{volume} (being exported)").values_list("name", flat=True)
    return {row for row in rows if (ground.lab.pool_path / row).exists()}
