"""What an operation makes, deletes or copies, nobody else gets or changes meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db.models.functions import Now
from lxml.builder import E

from core.errors import TargetBusy
from domains.actions import delete, disks, snapshots, trash
from domains.actions.clone import clone
from domains.actions.create import create
from domains.actions.power import power
from domains.disk_wishes import ExistingDisk, NewDisk
from domains.models import Domain, DomainState, Trashed
from domains.power import PowerVerb
from domains.procedures import clone as cloning
from domains.wishes import Clone, NewDomain
from hypervisor.specs import ImageFormat
from operations import journal
from operations.models import Hold, Operation, OperationState, StepState
from operations.run import Run
from storage.actions import delete_volume, export
from storage.models import Volume, VolumeKind
from tests.conftest import Cast
from tests.domains.disks import done
from tests.faults.cases.base import Ground
from tests.lab.host import LabHost
from tests.stage import adopt, carry_out


@pytest.fixture
def ground(transactional_db: None, cast: Cast, lab_host: LabHost) -> Iterator[Ground]:
    ground = Ground(lab_host, adopt(lab_host), cast.operator)
    yield ground
    ground.lab.clear()


def copy_of(domain: Domain) -> Clone:
    return Clone(source=domain, name="copy", vcpus=1, memory_mib=64)


def attach(ground: Ground, volume: Volume) -> Operation:
    wanted = ExistingDisk(volume=Volume.objects.get(pk=volume.pk))
    return disks.attach(domain=ground.machine(disk=False), wanted=wanted, actor=ground.actor)


def machine_on(ground: Ground, volume: Volume) -> NewDomain:
    return NewDomain(
        host=ground.host,
        name="other",
        vcpus=1,
        memory_mib=64,
        pool=ground.pool,
        disk_gib=1,
        network=None,
        image=Volume.objects.get(pk=volume.pk),
        as_it_is=True,
    )


def _add(ground: Ground) -> Operation:
    new = NewDisk(pool=ground.pool, size_gib=1)
    return disks.add(domain=ground.machine(), new=new, actor=ground.actor)


def _take(ground: Ground) -> Operation:
    raw = ground.machine(change=lambda root: root.find("devices/disk/driver").set("type", "raw"))
    return snapshots.take(domain=raw, label="one", actor=ground.actor)


def _export(ground: Ground) -> Operation:
    return export(volume=_known(ground.volume()), actor=ground.actor)


class TestWhatIsMade:
    def test_a_copied_disk_waits_for_its_machine(self, ground: Ground) -> None:
        asked = clone(new=copy_of(ground.machine()), actor=ground.actor)
        operation = journal.claim(asked.pk)
        assert operation is not None
        look, copy, *_ = cloning.clone(operation.params)
        for step in (look, copy):
            step.do(Run(operation))
        made = Volume.objects.get(label="copy disk vda")
        assert made.ready

        for ask in (attach, self._begin_with, self._delete):
            with pytest.raises(TargetBusy, match="Make copy from"):
                ask(ground, made)

    def _begin_with(self, ground: Ground, volume: Volume) -> Operation:
        return create(new=machine_on(ground, volume), actor=ground.actor)

    def _delete(self, ground: Ground, volume: Volume) -> Operation:
        return delete_volume(volume=volume, actor=ground.actor)

    def test_a_copy_that_virsh_gave_away_is_not_defined(self, ground: Ground) -> None:
        asked = clone(new=copy_of(ground.machine()), actor=ground.actor)
        operation = journal.claim(asked.pk)
        assert operation is not None
        look, copy, *_ = steps = cloning.clone(operation.params)
        rows = journal.lay_out(operation, [step.title for step in steps])
        for step, row in zip((look, copy), rows, strict=False):
            step.do(Run(operation))
            journal.mark(operation, row, StepState.DONE)
        journal.let_go(operation)
        made = Volume.objects.get(label="copy disk vda")
        thief = ground.machine(disk=False)
        ground.lab.virsh("attach-disk", str(thief.uuid), made.path, "vda", "--subdriver", "qcow2", "--config")

        ended = carry_out(asked.pk)

        assert ended.state == OperationState.FAILED
        assert f"is in use by {thief.name}" in ended.error
        assert "copy" not in ground.lab.virsh("list", "--all", "--name").split()
        assert (ground.lab.pool_path / made.name).exists()

    @pytest.mark.parametrize("ask", [_add, _take, _export])
    def test_whoever_makes_volumes_takes_them(
        self, ground: Ground, ask: Callable[[Ground], Operation]
    ) -> None:
        operation = ask(ground)
        made = Volume.objects.filter(ready=False, gone_at=None).values_list("uuid", flat=True)
        held = Hold.objects.filter(operation=operation, alone=True).values_list("target_id", flat=True)
        assert set(held) == set(made) != set()


class TestWhatIsDeleted:
    def test_the_disk_of_a_machine_that_goes(self, ground: Ground) -> None:
        domain = ground.machine()
        volume = Volume.objects.get(path=domain.disks.get().path)
        delete.delete(domain=domain, volumes=[volume.uuid], actor=ground.actor)
        Domain.objects.filter(pk=domain.pk).update(gone_at=Now())  # as its last but one step does
        with pytest.raises(TargetBusy, match="Delete"):
            attach(ground, volume)

    def test_the_disk_of_one_that_leaves_the_trash(self, ground: Ground) -> None:
        domain = ground.machine()
        volume = Volume.objects.get(path=domain.disks.get().path)
        done(delete.trash(domain=domain, volumes=[volume.uuid], actor=ground.actor))
        trash.purge(entry=Trashed.objects.get(), volumes=[volume.uuid], actor=ground.actor)
        Trashed.objects.all().delete()
        with pytest.raises(TargetBusy):
            attach(ground, volume)

    def test_a_disk_that_is_detached_to_be_deleted(self, ground: Ground) -> None:
        domain = ground.machine()
        volume = Volume.objects.get(path=domain.disks.get().path)
        disks.detach(domain=domain, target="vda", actor=ground.actor, delete_volume=True)
        domain.disks.all().delete()
        domain.files.all().delete()
        with pytest.raises(TargetBusy, match="Detach disk vda"):
            attach(ground, volume)

    def test_what_is_being_plugged_in_begins_no_machine(self, ground: Ground) -> None:
        volume = _a_disk(ground)
        attach(ground, volume)
        with pytest.raises(TargetBusy, match="Attach"):
            create(new=machine_on(ground, volume), actor=ground.actor)


class TestWhatIsExported:
    def test_its_machine_stands_still(self, ground: Ground) -> None:
        domain = ground.machine()
        volume = _known(Volume.objects.get(path=domain.disks.get().path))
        asked = export(volume=volume, actor=ground.actor)
        with pytest.raises(TargetBusy, match="Export"):
            power(verb=PowerVerb.START, domain=domain, actor=ground.actor)
        done(asked)
        assert power(verb=PowerVerb.START, domain=domain, actor=ground.actor).active

    def test_a_machine_that_names_it_by_its_pool_is_seen(self, ground: Ground) -> None:
        volume = _a_disk(ground)
        domain = ground.machine(state=DomainState.PAUSED, disk=False, change=_raw_disk(volume))
        ended = carry_out(export(volume=volume, actor=ground.actor).pk)
        assert ended.state == OperationState.FAILED
        assert f"{domain.name} is on" in ended.error


def _raw_disk(volume: Volume) -> Callable[[Any], None]:
    """A disk `vda` that is named by its pool and its volume."""

    def change(root: Any) -> None:
        driver, source = E.driver(name="qemu", type="raw"), E.source(pool="default", volume=volume.name)
        target = E.target(dev="vda", bus="virtio")
        root.find("devices").append(E.disk(driver, source, target, type="volume", device="disk"))

    return change


def _a_disk(ground: Ground) -> Volume:
    return _known(ground.volume(format=ImageFormat.RAW))


def _known(volume: Volume) -> Volume:
    """As one that the panel made or inspected."""
    Volume.objects.filter(pk=volume.pk).update(kind=VolumeKind.DISK, ours=True, ready=True)
    return Volume.objects.get(pk=volume.pk)
