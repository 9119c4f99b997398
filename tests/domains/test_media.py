"""Media in the drives of real machines, the drives themselves, and which images can be chosen."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from lxml.builder import E

from core.errors import Conflict, InvalidInput
from domains import disk_choices
from domains.actions import media as action
from domains.models import Domain, DomainDisk, DomainState
from hosts.connections import borrow
from storage import inventory
from storage.models import Volume, VolumeKind
from tests.conftest import Cast
from tests.domains.disks import (
    booted,
    done,
    element,
    failed,
    targets,
    with_drive,
    with_held_drive,
)
from tests.faults.cases.base import Ground
from tests.lab.cd_guest import CD_COMMAND_LINE, HOLDS, cd_guest
from tests.lab.guest import tiny_guest
from tests.lab.host import LabHost
from tests.stage import adopt, carry_out


@pytest.fixture
def ground(transactional_db: None, cast: Cast, lab_host: LabHost) -> Iterator[Ground]:
    ground = Ground(lab_host, adopt(lab_host), cast.operator)
    yield ground
    ground.lab.clear()


def file_in_pool(ground: Ground, name: str, content: bytes) -> Volume:
    """As somebody put it there beside the panel."""
    (ground.lab.pool_path / name).write_bytes(content)
    ground.lab.virsh("pool-refresh", "default")
    with borrow(ground.host) as hypervisor:
        inventory.record_volumes(ground.pool, hypervisor.list_volumes(ground.pool.uuid))
    return Volume.objects.get(pool=ground.pool, name=name)


def iso(ground: Ground, name: str = "tiny.iso") -> Volume:
    return file_in_pool(ground, name, tiny_guest().iso.read_bytes())


class TestWhatIsAnImage:
    def test_by_its_bytes_or_by_its_name(self, ground: Ground) -> None:
        assert iso(ground, "installer").kind == VolumeKind.ISO
        assert file_in_pool(ground, "UDF.ISO", bytes(65536)).kind == VolumeKind.ISO
        assert file_in_pool(ground, "disk.img", bytes(65536)).kind == VolumeKind.OTHER

    def test_a_disk_of_ours_stays_one_whatever_its_guest_writes(self, ground: Ground) -> None:
        volume = ground.volume()
        Volume.objects.filter(pk=volume.pk).update(ours=True, kind=VolumeKind.DISK)
        file_in_pool(ground, volume.name, tiny_guest().iso.read_bytes())
        volume.refresh_from_db()
        assert volume.kind == VolumeKind.DISK

    def test_who_does_not_see_storage_chooses_among_uploaded_ones(self, ground: Ground, cast: Cast) -> None:
        beside, uploaded = iso(ground, "beside.iso"), iso(ground, "uploaded.iso")
        Volume.objects.filter(pk=uploaded.pk).update(ours=True)
        domain = ground.machine(change=with_drive)
        Domain.objects.update(team=cast.team)

        def offered(person: Any) -> set[str]:
            return {one.name for one in disk_choices.images(person, domain, "cdrom")}

        assert offered(cast.operator) == {"beside.iso", "uploaded.iso"}
        assert offered(cast.lead) == {"uploaded.iso"}
        with pytest.raises(InvalidInput, match="can't be put"):
            action.change(
                domain=Domain.objects.get(pk=domain.pk), target="sda", image=beside, actor=cast.lead
            )


class TestOff:
    def test_in_and_out(self, ground: Ground) -> None:
        domain, image = ground.machine(change=with_drive), iso(ground)

        done(action.change(domain=domain, target="sda", image=image, actor=ground.actor))
        assert element(ground, domain, "sda").find("source").get("file") == image.path
        assert DomainDisk.objects.get(domain=domain, target="sda").path == image.path

        done(action.change(domain=domain, target="sda", image=None, actor=ground.actor))
        assert element(ground, domain, "sda").find("source") is None

    def test_a_floppy(self, ground: Ground) -> None:
        def with_floppy(root: Any) -> None:
            drive = E.disk(E.target(dev="fda", bus="fdc"), type="file", device="floppy")
            root.find("os/type").set("machine", "pc")
            for controller in root.findall("devices/controller"):
                root.find("devices").remove(controller)
            root.find("devices").append(drive)

        domain = ground.machine(change=with_floppy)
        image, large = file_in_pool(ground, "dos.img", bytes(1474560)), iso(ground)

        done(action.change(domain=domain, target="fda", image=image, actor=ground.actor))
        assert element(ground, domain, "fda").find("source").get("file") == image.path
        with pytest.raises(InvalidInput):
            action.change(domain=domain, target="fda", image=large, actor=ground.actor)

    def test_a_drive_more_and_none(self, ground: Ground) -> None:
        domain = ground.machine()
        done(action.add_drive(domain=domain, actor=ground.actor))
        assert targets(ground, domain, later=True) == ["vda", "sda"]
        assert element(ground, domain, "sda").get("device") == "cdrom"

        done(action.detach_drive(domain=domain, target="sda", actor=ground.actor))
        assert targets(ground, domain, later=True) == ["vda"]

    def test_a_machine_that_was_started_meanwhile_keeps_its_drives(self, ground: Ground) -> None:
        domain = ground.machine(change=with_drive)
        asked = action.detach_drive(domain=domain, target="sda", actor=ground.actor)
        ground.lab.virsh("start", "--paused", str(domain.uuid))
        assert "started meanwhile" in carry_out(asked.pk).error
        assert "sda" in targets(ground, domain, later=True)

    def test_an_image_that_went_meanwhile(self, ground: Ground) -> None:
        domain, image = ground.machine(state=DomainState.PAUSED, change=with_drive), iso(ground)
        asked = action.change(domain=domain, target="sda", image=image, actor=ground.actor)
        (ground.lab.pool_path / image.name).unlink()
        ended = carry_out(asked.pk)
        assert "No such file" in ended.error
        assert not ended.left_behind
        assert element(ground, domain, "sda").find("source") is None

    def test_what_is_no_drive(self, ground: Ground) -> None:
        domain = ground.machine()
        with pytest.raises(Conflict, match="has no drive vda"):
            action.change(domain=domain, target="vda", image=None, actor=ground.actor)
        with pytest.raises(Conflict, match="has no drive vda"):
            action.detach_drive(domain=domain, target="vda", actor=ground.actor)


def test_running(ground: Ground) -> None:
    """In, out by force, and what waits for the machine to be off."""
    with booted(ground) as uuid:
        domain, image = ground.seen(uuid), iso(ground)
        done(action.change(domain=domain, target="sda", image=image, actor=ground.actor))
        for later in (False, True):
            assert element(ground, domain, "sda", later=later).find("source").get("file") == image.path

        done(action.change(domain=domain, target="sda", image=None, actor=ground.actor, force=True))
        for later in (False, True):
            assert element(ground, domain, "sda", later=later).xpath("source/@file") == []
        with pytest.raises(Conflict, match="running"):
            action.add_drive(domain=domain, actor=ground.actor)


def test_a_tray_that_the_guest_has_locked(ground: Ground) -> None:
    """Told, with everything as it was; by force it opens."""
    image = iso(ground)
    with booted(
        ground,
        guest=cd_guest(),
        command_line=CD_COMMAND_LINE,
        until=HOLDS,
        change=with_held_drive(image.path),
    ) as uuid:
        domain = ground.seen(uuid)
        refused = failed(action.change(domain=domain, target="sda", image=None, actor=ground.actor))
        assert "holds on to what is in sda" in refused.error
        assert "force" in refused.fix
        for later in (False, True):
            assert element(ground, domain, "sda", later=later).find("source").get("file") == image.path

        done(action.change(domain=domain, target="sda", image=None, actor=ground.actor, force=True))
        for later in (False, True):
            assert element(ground, domain, "sda", later=later).xpath("source/@file") == []
