"""Disks of a machine that runs: plugged in, let go of, grown and slowed down while its guest looks on."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from core.errors import Conflict, InvalidInput
from core.units import GIB, MIB
from domains.actions import disks as action
from domains.disk_wishes import DiskSettings, ExistingDisk
from domains.models import Domain, DomainDisk, DomainState
from hypervisor.limits import IoLimits
from hypervisor.specs import ImageFormat
from operations import journal
from operations.models import OperationState
from operations.procedures import steps_of
from operations.run import Run
from storage.models import Volume
from tests.conftest import Cast
from tests.domains.disks import booted, done, element, failed, targets
from tests.domains.test_disks import new_disk
from tests.faults.cases.base import Ground
from tests.lab.host import LabHost
from tests.stage import adopt, carry_out


@pytest.fixture
def ground(transactional_db: None, cast: Cast, lab_host: LabHost) -> Iterator[Ground]:
    ground = Ground(lab_host, adopt(lab_host), cast.operator)
    yield ground
    ground.lab.clear()


class TestRunning:
    def test_hot_all_the_way(self, ground: Ground) -> None:
        """One guest, which takes 2 s to boot, for all that is done to it while it runs."""
        with booted(ground) as uuid:
            self._new_and_existing(ground, ground.seen(uuid))
            self._limits_now_and_cache_later(ground, ground.seen(uuid))
            self._larger(ground, ground.seen(uuid))
            self._out_and_taken_back(ground, ground.seen(uuid))
            self._out_with_consent(ground, ground.seen(uuid))
            self._what_cannot_be_hot(ground, ground.seen(uuid))
            self._no_consent(ground, ground.seen(uuid))
            self._no_place(ground, ground.seen(uuid))

    def _new_and_existing(self, ground: Ground, domain: Domain) -> None:
        done(action.add(domain=domain, new=new_disk(ground), actor=ground.actor))
        volume = ground.volume(format=ImageFormat.RAW)
        scsi = DiskSettings(bus="scsi")
        wanted = ExistingDisk(volume=volume, settings=scsi)
        done(action.attach(domain=ground.seen(domain.uuid), wanted=wanted, actor=ground.actor))
        for later in (False, True):
            assert targets(ground, domain, later=later) == ["vda", "vdb", "sda", "sdb"]

    def _limits_now_and_cache_later(self, ground: Ground, domain: Domain) -> None:
        settings = DiskSettings(cache="none", discard="ignore", limits=IoLimits(read_bytes_s=5 * MIB))
        done(action.change(domain=domain, target="vda", settings=settings, actor=ground.actor))
        assert element(ground, domain, "vda", later=False).find("iotune/read_bytes_sec").text == str(5 * MIB)
        assert element(ground, domain, "vda").find("driver").get("cache") == "none"
        seen = DomainDisk.objects.get(domain=domain, target="vda")
        assert (seen.cache, seen.pending, seen.read_bytes_s) == ("", [["cache", "none"]], 5 * MIB)

    def _larger(self, ground: Ground, domain: Domain) -> None:
        done(action.resize(domain=domain, target="vda", size_gib=3, actor=ground.actor))
        assert f"Capacity:       {3 * GIB}" in ground.lab.virsh("domblkinfo", str(domain.uuid), "vda")
        assert Volume.objects.get(path=domain.disks.get(target="vda").path).capacity_bytes == 3 * GIB

    def _out_and_taken_back(self, ground: Ground, domain: Domain) -> None:
        """As where somebody cancels after the guest has let go."""
        before = element(ground, domain, "vdb").find("source").get("file")
        asked = action.detach(domain=domain, target="vdb", actor=ground.actor)
        operation = journal.claim(asked.pk)
        assert operation is not None
        run = Run(operation)
        steps = steps_of(operation.kind, operation.params)
        for step in steps:
            step.do(run)
        for later in (False, True):
            assert "vdb" not in targets(ground, domain, later=later)

        for step in [*reversed(steps), *reversed(steps)]:  # also twice
            step.undo(run)

        for later in (False, True):
            assert element(ground, domain, "vdb", later=later).find("source").get("file") == before
        journal.finish(operation, OperationState.CANCELLED)

    def _out_with_consent(self, ground: Ground, domain: Domain) -> None:
        path = domain.disks.get(target="vdb").path
        done(action.detach(domain=domain, target="vdb", actor=ground.actor, delete_volume=True))
        for later in (False, True):
            assert targets(ground, domain, later=later) == ["vda", "sda", "sdb"]
        assert not Volume.objects.present().filter(path=path).exists()

    def _what_cannot_be_hot(self, ground: Ground, domain: Domain) -> None:
        sata = new_disk(ground, settings=DiskSettings(bus="sata"))
        with pytest.raises(InvalidInput, match="SATA"):
            action.add(domain=domain, new=sata, actor=ground.actor)
        moved = DiskSettings(bus="sata")
        with pytest.raises(InvalidInput, match="off"):
            action.change(domain=domain, target="vda", settings=moved, actor=ground.actor)

    def _no_consent(self, ground: Ground, domain: Domain) -> None:
        """It stands still while it is asked, as a guest does that hangs."""
        asked = action.detach(domain=domain, target="vda", actor=ground.actor, patience_s=1)
        ground.lab.virsh("suspend", str(domain.uuid))
        ended = carry_out(asked.pk)
        if (
            ended.state == OperationState.QUEUED
        ):  # libvirt gave up waiting a moment before our own patience ended
            type(ended).objects.filter(pk=ended.pk).update(not_before=None)
            ended = carry_out(asked.pk)
        assert ended.state == OperationState.FAILED
        assert "did not let go of vda" in ended.error
        assert "vda" in targets(ground, domain, later=True)
        with pytest.raises(Conflict, match="paused"):
            action.detach(domain=ground.seen(domain.uuid), target="vda", actor=ground.actor)
        ground.lab.virsh("resume", str(domain.uuid))

    def _no_place(self, ground: Ground, domain: Domain) -> None:
        while "disk" in domain.pluggable:
            wanted = ExistingDisk(volume=ground.volume())
            done(action.attach(domain=domain, wanted=wanted, actor=ground.actor))
            domain = ground.seen(domain.uuid)
        with pytest.raises(InvalidInput, match="no free PCI Express slot"):
            action.add(domain=domain, new=new_disk(ground), actor=ground.actor)
        Domain.objects.filter(pk=domain.pk).update(pluggable=["disk"])  # as before somebody took the last one
        domain.refresh_from_db()
        asked = action.add(domain=domain, new=new_disk(ground), actor=ground.actor)
        assert "no free PCI Express slot" in failed(asked).error
        assert domain.state == DomainState.RUNNING
