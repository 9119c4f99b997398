"""Nothing that a machine needs counts as free: not what its next start opens, nor what its disks are based on."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from lxml import etree

from core.errors import Conflict, InvalidInput
from domains.actions import disks
from domains.actions.delete import trash
from domains.disk_choices import unused
from domains.disk_wishes import ExistingDisk
from domains.models import Domain, DomainState, TrashedDisk
from domains.usage import machines_with
from hosts.connections import borrow
from hypervisor.specs import ImageFormat
from operations.models import OperationState
from storage import actions
from storage.inventory import record_volumes
from storage.models import Pool, Volume
from storage.procedures.volumes import refuse_if_plugged_in
from tests.conftest import Cast
from tests.domains.disks import done
from tests.eventually import eventually
from tests.faults.cases.base import Ground
from tests.lab.host import LabHost
from tests.stage import adopt, carry_out, read


@pytest.fixture
def ground(transactional_db: None, cast: Cast, lab_host: LabHost) -> Iterator[Ground]:
    ground = Ground(lab_host, adopt(lab_host), cast.operator)
    yield ground
    ground.lab.clear()


def define(ground: Ground, domain: Domain, change: Any) -> None:
    """As virsh edit does."""
    root = ground.dumpxml(domain.uuid)
    change(root)
    file = ground.lab.root / "edited.xml"
    file.write_bytes(etree.tostring(root))
    ground.lab.virsh("define", str(file))
    file.unlink()


def name_another_disk(ground: Ground, domain: Domain, volume: Volume) -> None:
    """The definition, not the run, gets `volume` as its disk."""

    def change(root: Any) -> None:
        root.find("devices/disk/source").set("file", volume.path)

    define(ground, domain, change)


def in_the_way(ground: Ground, volume: Volume) -> str:
    """What a worker says, whatever the inventory holds."""
    with borrow(ground.host) as hypervisor, pytest.raises(Conflict) as refused:
        refuse_if_plugged_in(hypervisor, Volume.objects.select_related("pool__host").get(pk=volume.pk))
    return refused.value.message


class TestTheNextStartsDisk:
    @pytest.fixture
    def domain(self, ground: Ground) -> Domain:
        return ground.machine(state=DomainState.PAUSED)

    def test_is_not_free(self, ground: Ground, domain: Domain) -> None:
        coming, other = ground.volume(), ground.machine()
        name_another_disk(ground, domain, coming)
        ground.seen(domain.uuid)

        assert coming not in unused(ground.actor, other)
        with pytest.raises(Conflict, match=domain.name):
            actions.delete_volume(volume=coming, actor=ground.actor)
        with pytest.raises(InvalidInput, match=domain.name):
            disks.attach(domain=other, wanted=ExistingDisk(volume=coming), actor=ground.actor)

    def test_is_spared_where_the_inventory_does_not_know_yet(self, ground: Ground, domain: Domain) -> None:
        coming = ground.volume()
        operation = actions.delete_volume(volume=coming, actor=ground.actor)
        name_another_disk(ground, domain, coming)

        ended = carry_out(operation.pk)

        assert (ended.state, domain.name in ended.error) == (OperationState.FAILED, True)

    def test_goes_into_the_trash_with_the_running_one(self, ground: Ground, domain: Domain) -> None:
        running, coming = domain.disks.get().path, ground.volume()
        name_another_disk(ground, domain, coming)
        domain = ground.seen(domain.uuid)

        done(trash(domain=domain, volumes=[], actor=ground.actor))

        assert set(TrashedDisk.objects.values_list("path", flat=True)) == {running, coming.path}
        with pytest.raises(Conflict, match="in the trash"):
            actions.delete_volume(volume=coming, actor=ground.actor)


class TestWhatIsBelow:
    @pytest.fixture
    def base(self, ground: Ground) -> Volume:
        """The disk of a running machine that virsh gave another file to, which lies in no pool."""
        domain = ground.machine(state=DomainState.PAUSED)
        base: Volume = Volume.objects.get(path=domain.disks.get().path)
        layer = ground.lab.root / "layer.qcow2"
        words = ["--disk-only", "--no-metadata", "--diskspec", f"vda,file={layer}"]
        ground.lab.virsh("snapshot-create-as", str(domain.uuid), "layer", *words)
        return base

    def test_is_not_free(self, ground: Ground, base: Volume) -> None:
        domain = Domain.objects.get()
        assert domain.name in in_the_way(ground, base)

        domain = ground.seen(domain.uuid)

        assert domain.disks.get().path != base.path
        (use,) = machines_with(ground.host, [base.path])[base.path]
        assert (use.name, use.base) == (domain.name, True)
        with pytest.raises(Conflict, match=domain.name):
            actions.delete_volume(volume=base, actor=ground.actor)


def test_a_disk_that_is_named_by_its_pool_is_not_free(ground: Ground) -> None:
    domain, volume = ground.machine(), ground.volume()

    def change(root: Any) -> None:
        disk = root.find("devices/disk")
        disk.set("type", "volume")
        source = disk.find("source")
        source.attrib.clear()
        source.attrib.update({"pool": "default", "volume": volume.name})

    define(ground, domain, change)
    assert domain.name in in_the_way(ground, volume)

    ground.seen(domain.uuid)

    assert volume not in unused(ground.actor, ground.machine())
    with pytest.raises(Conflict, match=domain.name):
        actions.delete_volume(volume=volume, actor=ground.actor)


def test_a_machine_that_names_it_and_cannot_be_read_may_need_it(ground: Ground) -> None:
    domain, volume = ground.machine(), ground.volume()

    def change(root: Any) -> None:
        etree.SubElement(root, "description").text = volume.path + "x" * (1024 * 1024)

    operation = actions.delete_volume(volume=volume, actor=ground.actor)
    define(ground, domain, change)

    ended = carry_out(operation.pk)

    assert ended.state == OperationState.FAILED
    assert domain.name in ended.error
    assert "over 1 MiB" in ended.error
    assert (ground.lab.pool_path / volume.name).exists()


def test_a_volume_whose_pool_virsh_took_away_is_not_called_deleted(ground: Ground) -> None:
    pool = ground.lab.root / "second"
    ground.lab.virsh("pool-define-as", "second", "dir", "--target", str(pool))
    ground.lab.virsh("pool-build", "second")
    ground.lab.virsh("pool-start", "second")
    ground.lab.virsh("vol-create-as", "second", "data", "1M")
    read(ground.host)
    with borrow(ground.host) as hypervisor:
        second = Pool.objects.get(name="second")
        record_volumes(second, hypervisor.list_volumes(second.uuid))
    operation = actions.delete_volume(volume=Volume.objects.get(name="data"), actor=ground.actor)
    ground.lab.virsh("pool-destroy", "second")
    ground.lab.virsh("pool-undefine", "second")

    ended = carry_out(operation.pk)

    assert (ended.state, "no pool second" in ended.error) == (OperationState.FAILED, True)
    assert (pool / "data").exists()
    assert Volume.objects.get(name="data").gone_at is None


def test_waits_while_nobody_can_look_into_the_pool(ground: Ground) -> None:
    kept, source = ground.volume(), ground.volume(size_mib=1024, format=ImageFormat.RAW)
    operation = actions.delete_volume(volume=kept, actor=ground.actor)
    words = ("vol-clone", "--pool", "default", source.name, "copy.img")
    copying = threading.Thread(target=ground.lab.virsh, args=words)
    copying.start()
    eventually((ground.lab.pool_path / "copy.img").exists, within_s=10)

    waiting = carry_out(operation.pk)

    copying.join(120)
    assert waiting.state == OperationState.QUEUED, waiting.error
    assert "can be looked at" in waiting.message
    assert (ground.lab.pool_path / kept.name).exists()
