"""Disks of real machines: added, attached, taken out, changed and made larger, off and running."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from accounts.models import Team
from core.errors import Conflict, Forbidden, InvalidInput, TargetBusy
from core.units import GIB, MIB
from domains.actions import disks as action
from domains.disk_wishes import DiskSettings, ExistingDisk, NewDisk
from domains.models import Domain, DomainDisk, DomainState
from domains.procedures import disk_plug
from hypervisor.limits import IoLimits
from hypervisor.specs import ImageFormat
from operations import journal
from operations.models import OperationState, StepState
from operations.run import Run
from storage.models import Volume
from tests.conftest import Cast
from tests.domains.disks import done, element, failed, targets
from tests.faults.cases.base import Ground
from tests.lab.host import LabHost
from tests.stage import adopt, carry_out


@pytest.fixture
def ground(transactional_db: None, cast: Cast, lab_host: LabHost) -> Iterator[Ground]:
    ground = Ground(lab_host, adopt(lab_host), cast.operator)
    yield ground
    ground.lab.clear()


def new_disk(ground: Ground, **changes: Any) -> NewDisk:
    values: dict[str, Any] = {"pool": ground.pool, "size_gib": 1}
    return NewDisk(**values | changes)


class TestOff:
    @pytest.mark.parametrize(("bus", "target"), [("virtio", "vdb"), ("scsi", "sda"), ("sata", "sda")])
    def test_a_new_disk(self, ground: Ground, bus: str, target: str) -> None:
        domain = ground.machine()
        limits = IoLimits(read_bytes_s=MIB, write_iops=100)
        settings = DiskSettings(bus=bus, cache="none", discard="unmap", limits=limits)

        done(action.add(domain=domain, new=new_disk(ground, settings=settings), actor=ground.actor))

        assert targets(ground, domain, later=True) == ["vda", target]
        disk = element(ground, domain, target)
        assert dict(disk.find("driver").attrib) == {
            "name": "qemu",
            "type": "qcow2",
            "cache": "none",
            "discard": "unmap",
        }
        volume = Volume.objects.get(path=disk.find("source").get("file"))
        assert (volume.ready, volume.ours, volume.capacity_bytes, volume.team) == (
            True,
            True,
            GIB,
            domain.team,
        )
        seen = DomainDisk.objects.get(domain=domain, target=target)
        assert (seen.bus, seen.cache, seen.read_bytes_s, seen.write_iops) == (bus, "none", MIB, 100)
        assert seen.serial == volume.uuid.hex[:20]
        models = [
            one.get("model")
            for one in ground.dumpxml(domain.uuid).iterfind("devices/controller[@type='scsi']")
        ]
        assert models == (["virtio-scsi"] if bus == "scsi" else [])

    def test_an_existing_disk_and_out_again(self, ground: Ground) -> None:
        domain, volume = ground.machine(), ground.volume(format=ImageFormat.RAW)

        done(action.attach(domain=domain, wanted=ExistingDisk(volume=volume), actor=ground.actor))
        assert element(ground, domain, "vdb").find("source").get("file") == volume.path

        done(action.detach(domain=domain, target="vdb", actor=ground.actor))
        assert targets(ground, domain, later=True) == ["vda"]
        assert (ground.lab.pool_path / volume.name).exists()

    def test_detached_with_its_volume(self, ground: Ground) -> None:
        domain = ground.machine()
        volume = Volume.objects.get(path=domain.disks.get().path)

        done(action.detach(domain=domain, target="vda", actor=ground.actor, delete_volume=True))

        assert not (ground.lab.pool_path / volume.name).exists()
        assert not Volume.objects.present().filter(pk=volume.pk).exists()
        assert not domain.disks.exists()

    @pytest.mark.parametrize("bus", ["scsi", "sata"])
    def test_another_bus(self, ground: Ground, bus: str) -> None:
        domain = ground.machine()
        settings = DiskSettings(bus=bus, cache="writeback", discard="ignore")

        done(action.change(domain=domain, target="vda", settings=settings, actor=ground.actor))

        assert targets(ground, domain, later=True) == ["sda"]
        assert element(ground, domain, "sda").find("driver").get("cache") == "writeback"
        ground.lab.virsh("start", "--paused", str(domain.uuid))  # libvirt found it a place

    @pytest.mark.parametrize("format", list(ImageFormat))
    def test_larger(self, ground: Ground, format: ImageFormat) -> None:  # noqa: A002
        domain, volume = ground.machine(), ground.volume(format=format)
        done(action.attach(domain=domain, wanted=ExistingDisk(volume=volume), actor=ground.actor))
        domain.refresh_from_db()

        done(action.resize(domain=domain, target="vdb", size_gib=2, actor=ground.actor))

        volume.refresh_from_db()
        assert volume.capacity_bytes == 2 * GIB
        assert f"Capacity:       {2 * GIB}" in ground.lab.virsh("domblkinfo", str(domain.uuid), "vdb")

    def test_a_raw_disk_that_poses_as_an_image_is_not_resized_by_its_header(self, ground: Ground) -> None:
        domain, volume = ground.machine(), ground.volume(format=ImageFormat.RAW)
        done(action.attach(domain=domain, wanted=ExistingDisk(volume=volume), actor=ground.actor))
        file = ground.lab.pool_path / volume.name
        size = file.stat().st_size
        with file.open("r+b") as raw:
            raw.write(
                (
                    ground.lab.pool_path / Volume.objects.get(path=domain.disks.get(target="vda").path).name
                ).read_bytes()[:512]
            )
        ground.lab.virsh("pool-refresh", "default")

        ended = carry_out(action.resize(domain=domain, target="vdb", size_gib=1, actor=ground.actor).pk)

        assert "look like qcow2" in ended.error
        assert file.stat().st_size == size


class TestWhatIsRefused:
    def test_a_volume_that_another_machine_has(self, ground: Ground) -> None:
        other = ground.machine()
        volume = Volume.objects.get(path=other.disks.get().path)

        with pytest.raises(InvalidInput, match=other.name):
            action.attach(domain=ground.machine(), wanted=ExistingDisk(volume=volume), actor=ground.actor)

    def test_one_that_virsh_gave_to_another_machine_meanwhile(self, ground: Ground) -> None:
        domain, other, volume = ground.machine(), ground.machine(), ground.volume()
        asked = action.attach(domain=domain, wanted=ExistingDisk(volume=volume), actor=ground.actor)
        ground.lab.virsh("attach-disk", str(other.uuid), volume.path, "vdb", "--config")

        assert other.name in failed(asked).error
        assert targets(ground, domain, later=True) == ["vda"]

    def test_one_of_another_team(self, ground: Ground) -> None:
        volume = ground.volume()
        Volume.objects.filter(pk=volume.pk).update(team=Team.objects.create(name="red"))

        with pytest.raises(InvalidInput, match="can't be attached"):
            action.attach(domain=ground.machine(), wanted=ExistingDisk(volume=volume), actor=ground.actor)

    def test_one_that_another_is_based_on(self, ground: Ground) -> None:
        base, layer = ground.volume(), ground.volume()
        Volume.objects.filter(pk=layer.pk).update(backing_path=base.path)
        domain = ground.machine()

        with pytest.raises(InvalidInput, match=layer.name):
            action.attach(domain=domain, wanted=ExistingDisk(volume=base), actor=ground.actor)
        with pytest.raises(InvalidInput, match="no whole disk"):
            action.attach(
                domain=domain, wanted=ExistingDisk(volume=Volume.objects.get(pk=layer.pk)), actor=ground.actor
            )

    def test_the_same_volume_for_two_at_once(self, ground: Ground) -> None:
        one, two, volume = ground.machine(), ground.machine(), ground.volume()
        action.attach(domain=one, wanted=ExistingDisk(volume=volume), actor=ground.actor)

        with pytest.raises(Conflict):
            action.attach(domain=two, wanted=ExistingDisk(volume=volume), actor=ground.actor)

    @pytest.mark.parametrize(
        ("changes", "field"),
        [
            ({"size_gib": 0}, "size_gib"),
            ({"size_gib": 10**9}, "size_gib"),
            ({"size_gib": 60_000, "format": "raw"}, "size_gib"),
            ({"format": "vmdk"}, "format"),
            ({"settings": DiskSettings(bus="ide")}, "bus"),
            ({"settings": DiskSettings(cache="<b>")}, "cache"),
            ({"settings": DiskSettings(discard="maybe")}, "discard"),
            ({"settings": DiskSettings(limits=IoLimits(read_iops=-1))}, "read_iops"),
        ],
    )
    def test_a_disk_that_cannot_be(self, ground: Ground, changes: dict[str, Any], field: str) -> None:
        domain = ground.machine()
        with pytest.raises(InvalidInput) as refused:
            action.add(domain=domain, new=new_disk(ground, **changes), actor=ground.actor)
        assert refused.value.field == field
        assert Volume.objects.present().count() == 1

    def test_a_smaller_disk(self, ground: Ground) -> None:
        domain = ground.machine()
        done(action.resize(domain=domain, target="vda", size_gib=2, actor=ground.actor))
        for less in (2, 1, 0, -5):
            with pytest.raises(InvalidInput, match="only grow"):
                action.resize(domain=domain, target="vda", size_gib=less, actor=ground.actor)

    def test_a_disk_larger_than_its_pool(self, ground: Ground) -> None:
        with pytest.raises(InvalidInput, match="All of pool"):
            action.resize(domain=ground.machine(), target="vda", size_gib=60_000, actor=ground.actor)

    def test_old_snapshots_tie_a_disk_to_its_size(self, ground: Ground) -> None:
        domain = ground.machine()
        Volume.objects.update(details={"compat": "0.10", "snapshots": 1})
        with pytest.raises(InvalidInput, match="snapshots"):
            action.resize(domain=domain, target="vda", size_gib=2, actor=ground.actor)

    def test_what_is_not_there(self, ground: Ground) -> None:
        with pytest.raises(Conflict, match="has no disk vdz"):
            action.detach(domain=ground.machine(), target="vdz", actor=ground.actor)

    def test_a_disk_that_virsh_took_out_meanwhile(self, ground: Ground) -> None:
        domain = ground.machine()
        asked = action.resize(domain=domain, target="vda", size_gib=2, actor=ground.actor)
        ground.lab.virsh("detach-disk", str(domain.uuid), "vda", "--config")
        assert "is another disk by now, or none" in carry_out(asked.pk).error

    def test_a_disk_that_virsh_replaced_meanwhile_stays(self, ground: Ground) -> None:
        domain, other = ground.machine(), ground.volume()
        asked = action.detach(domain=domain, target="vda", actor=ground.actor, delete_volume=True)
        uuid = str(domain.uuid)
        ground.lab.virsh("detach-disk", uuid, "vda", "--config")
        ground.lab.virsh("attach-disk", uuid, other.path, "vda", "--config", "--subdriver", "qcow2")

        assert "another disk by now" in failed(asked).error
        assert element(ground, domain, "vda").find("source").get("file") == other.path

    def test_a_target_that_virsh_took_meanwhile(self, ground: Ground) -> None:
        domain, other = ground.machine(), ground.volume()
        asked = action.add(domain=domain, new=new_disk(ground), actor=ground.actor)
        ground.lab.virsh(
            "attach-disk", str(domain.uuid), other.path, "vdb", "--config", "--subdriver", "qcow2"
        )

        assert "another disk vdb" in failed(asked).error
        assert len(list(ground.lab.pool_path.iterdir())) == 2
        assert element(ground, domain, "vdb").find("source").get("file") == other.path

    def test_who_may_not(self, ground: Ground, cast: Cast) -> None:
        domain = ground.machine()
        for person in (cast.auditor, cast.member, cast.stranger):
            with pytest.raises(Forbidden):
                action.add(domain=domain, new=new_disk(ground), actor=person)

    def test_while_another_operation_is_at_work(self, ground: Ground) -> None:
        domain = ground.machine()
        action.add(domain=domain, new=new_disk(ground), actor=ground.actor)
        with pytest.raises(TargetBusy):
            action.add(domain=domain, new=new_disk(ground), actor=ground.actor)


def test_taking_back_does_not_delete_what_the_guest_did_not_let_go(ground: Ground) -> None:
    domain = ground.machine(state=DomainState.PAUSED)
    operation = journal.claim(action.add(domain=domain, new=new_disk(ground), actor=ground.actor).pk)
    assert operation is not None
    steps = disk_plug.add(operation.params)
    for step, row in zip(steps, journal.lay_out(operation, [step.title for step in steps]), strict=True):
        step.do(Run(operation))
        journal.mark(operation, row, StepState.DONE)
    Run(operation).keep(asked_at=0)
    journal.write(operation, undoing=True)
    journal.let_go(operation)

    ended = carry_out(operation.pk)

    assert ended.state == OperationState.CANCELLED
    assert f"is in use by {domain.name}" in ended.left_behind
    volume = Volume.objects.get(uuid=operation.params["disk"]["volume"])
    assert (volume.ours, volume.gone_at) == (True, None)
    assert (ground.lab.pool_path / volume.name).exists()
    assert "vdb" in targets(ground, domain, later=False)


class TestATeam:
    def test_may_have_back_what_it_detached(self, ground: Ground, cast: Cast) -> None:
        domain = ground.machine()
        Domain.objects.update(team=cast.team)
        domain.refresh_from_db()
        volume = ground.volume()
        with pytest.raises(InvalidInput, match="can't be attached"):
            action.attach(domain=domain, wanted=ExistingDisk(volume=volume), actor=cast.lead)
        volume = Volume.objects.get(path=domain.disks.get().path)
        done(action.detach(domain=domain, target="vda", actor=cast.lead))

        done(action.attach(domain=domain, wanted=ExistingDisk(volume=volume), actor=cast.lead))

        assert targets(ground, domain, later=True) == ["vda"]

    def test_makes_new_disks_where_it_has_some(self, ground: Ground, cast: Cast) -> None:
        with_disk, without = ground.machine(), ground.machine(disk=False)
        Domain.objects.update(team=cast.team)
        with pytest.raises(InvalidInput, match="pool"):
            action.add(domain=Domain.objects.get(pk=without.pk), new=new_disk(ground), actor=cast.lead)
        done(action.add(domain=Domain.objects.get(pk=with_disk.pk), new=new_disk(ground), actor=cast.lead))


def test_a_shared_disk(ground: Ground) -> None:
    one, two, volume = ground.machine(), ground.machine(), ground.volume(format=ImageFormat.RAW)
    shared = ExistingDisk(volume=volume, shareable=True, settings=DiskSettings(cache="none"))
    done(action.attach(domain=one, wanted=shared, actor=ground.actor))
    done(action.attach(domain=two, wanted=shared, actor=ground.actor))

    assert element(ground, two, "vdb").find("shareable") is not None
    with pytest.raises(InvalidInput, match="qcow2 breaks"):
        action.attach(
            domain=one, wanted=ExistingDisk(volume=ground.volume(), shareable=True), actor=ground.actor
        )
