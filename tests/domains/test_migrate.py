"""Moving machines between two real hosts: with what goes along, what is in the way, and what is left."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection

from core.errors import Conflict, Forbidden
from domains.actions.migrate import migrate
from domains.models import Domain, DomainState
from domains.moving import MoveOptions
from domains.procedures.migrate import Arrive, Migrate
from hosts.connections import borrow
from hosts.models import Host
from operations import journal
from operations.models import Operation, OperationState
from operations.procedures import Step, steps_of
from operations.run import Run
from storage.actions import delete_volume
from storage.models import Volume, VolumeKind
from storage.procedures.volumes import refuse_if_plugged_in
from tests.conftest import Cast
from tests.domains import travel
from tests.domains.travel import Road
from tests.eventually import eventually
from tests.lab.guest import tiny_guest
from tests.lab.lab import Lab
from tests.lab.remote import RemoteHost
from tests.stage import carry_out


@pytest.fixture
def road(transactional_db: None, cast: Cast, lab: Lab) -> Iterator[Road]:
    yield travel.build(lab, cast.operator)
    travel.clear(lab)


def move(road: Road, domain: Domain, target: Host | None = None, **options: Any) -> Operation:
    asked = migrate(
        domain=domain, target=target or road.there, options=MoveOptions(**options), actor=road.actor
    )
    return carry_out(asked.pk)


def begun(road: Road, domain: Domain, before: type[Step]) -> tuple[Run, dict[type[Step], Step]]:
    """A move that has come as far as right before one of its steps."""
    asked = migrate(domain=domain, target=road.there, options=MoveOptions(), actor=road.actor)
    operation = journal.claim(asked.pk)
    assert operation is not None
    run = Run(operation)
    steps = steps_of(operation.kind, operation.params)
    for step in steps:
        if isinstance(step, before):
            break
        step.do(run)
    return run, {type(step): step for step in steps}


def autostarts(host: RemoteHost, domain: Domain) -> bool:
    return str(domain.uuid) in host.virsh("list", "--all", "--uuid", "--autostart").split()


def cancel_on_the_way(asked: Operation) -> None:
    """As soon as it can't go back although it still moves; from a thread of its own."""
    moving = Operation.objects.filter(
        pk=asked.pk, committed=True, steps__title=Migrate.title, steps__state="running"
    )
    try:
        eventually(moving.exists, within_s=60)
        Operation.objects.filter(pk=asked.pk).update(cancel_requested=True)
    finally:
        connection.close()


class TestLive:
    @pytest.mark.parametrize("disk_format", ["qcow2", "raw"])
    def test_takes_the_disk_along(self, road: Road, disk_format: str) -> None:
        domain = road.machine("traveller", disk_format=disk_format)
        with_autostart = road.lab.hosts[0].virsh("autostart", str(domain.uuid))

        done = move(road, domain)

        assert done.state == OperationState.SUCCEEDED, (done.error, done.left_behind, with_autostart)
        assert road.states(domain.uuid) == ["", "running"]
        arrived = road.domain(domain.uuid)
        assert (arrived.host, arrived.state, arrived.autostart) == (road.there, DomainState.RUNNING, True)
        volume = road.volume(domain.uuid)
        assert volume.ours
        assert volume.label == "traveller disk"
        assert travel.holds(road.image(volume), disk_format)
        assert road.volumes() == [[], [volume.name]]

    def test_leaves_the_old_disk_where_asked(self, road: Road) -> None:
        domain = road.machine("keeper")
        old = road.volume(domain.uuid)

        done = move(road, domain, delete_source=False)

        assert done.state == OperationState.SUCCEEDED
        assert road.volumes()[0] == [old.name]

    @pytest.mark.parametrize("reason", ["layer", "image"])
    def test_keeps_an_old_disk_that_others_need(self, road: Road, reason: str) -> None:
        domain = road.machine("based")
        old = road.volume(domain.uuid)
        if reason == "layer":
            base = ("--backing-vol", old.name, "--backing-vol-format", "qcow2")
            road.lab.hosts[0].virsh("vol-create-as", "default", "layer", "1G", "--format", "qcow2", *base)
            road.look()
        else:
            Volume.objects.filter(pk=old.pk).update(kind=VolumeKind.ISO)

        done = move(road, domain)

        assert (done.state, done.left_behind) == (OperationState.SUCCEEDED, ""), done.error
        assert old.name in road.volumes()[0]
        assert any(line.text.startswith(f"{old} is kept.") for line in done.log.all())

    def test_is_told_once_with_each_host(self, road: Road) -> None:
        domain = road.machine("told")

        move(road, domain)

        assert [
            list(host.events.filter(kind="moved").values_list("text", flat=True))
            for host in (road.here, road.there)
        ] == [
            ["told moved to kvm2."],
            ["told moved here from kvm1."],
        ]

    def test_takes_no_disk_that_was_plugged_in_meanwhile(self, road: Road) -> None:
        domain = road.machine("grown")
        asked = migrate(domain=domain, target=road.there, options=MoveOptions(), actor=road.actor)
        virsh = road.lab.hosts[0].virsh
        virsh("vol-create-as", "default", "more", "1M")
        virsh("attach-disk", str(domain.uuid), str(road.lab.hosts[0].pool_path / "more"), "vdb")

        done = carry_out(asked.pk)

        assert done.error == "Disk vdb is another one than when this move was asked for."
        assert road.states(domain.uuid) == ["running", ""]

    def test_keeps_a_paused_machine_paused(self, road: Road) -> None:
        domain = road.machine("sleeper")
        road.lab.hosts[0].virsh("suspend", str(domain.uuid))
        road.look()

        done = move(road, road.domain(domain.uuid))

        assert done.state == OperationState.SUCCEEDED, done.error
        assert road.states(domain.uuid) == ["", "paused"]

    def test_obeys_its_limits(self, road: Road) -> None:
        domain = road.machine("slow", network=False)

        done = move(road, domain, bandwidth_mib_s=64, downtime_ms=500, auto_converge=True)

        assert done.state == OperationState.SUCCEEDED, done.error
        assert road.states(domain.uuid) == ["", "running"]


class TestFirmwareAndDrives:
    def test_takes_a_uefi_machine_along(self, road: Road) -> None:
        domain = road.machine("modern", firmware="uefi")

        done = move(road, domain)

        assert done.state == OperationState.SUCCEEDED, done.error
        assert road.states(domain.uuid) == ["", "running"]
        assert road.domain(domain.uuid).firmware == "uefi"

    @pytest.fixture
    def image(self, road: Road) -> Volume:
        """An ISO image at the source."""
        road.lab.hosts[0].virsh("vol-create-as", "default", "tool.iso", "1M")
        road.look()
        images = Volume.objects.filter(pool__host=road.here, name="tool.iso")
        images.update(kind=VolumeKind.ISO, sha256="ab" * 32)
        found: Volume = images.get()
        return found

    def test_ejects_what_the_other_host_lacks(self, road: Road, image: Volume) -> None:
        domain = road.machine("tooled", iso=image)
        with pytest.raises(Conflict, match="The image in drive sda is not on kvm2"):
            move(road, domain)

        done = move(road, domain, eject=True)

        assert done.state == OperationState.SUCCEEDED, done.error
        assert road.domain(domain.uuid).disks.get(device="cdrom").path == ""

    def test_finds_the_same_image_in_another_place(self, road: Road, image: Volume) -> None:
        there = road.lab.hosts[1]
        there.virsh("pool-define-as", "isos", "dir", "--target", "/var/lib/libvirt/isos")
        there.virsh("pool-build", "isos")
        there.virsh("pool-start", "isos")
        there.virsh("vol-create-as", "isos", "tool.iso", "1M")
        road.look()
        Volume.objects.filter(pool__name="isos").update(kind=VolumeKind.ISO, sha256=image.sha256)

        domain = road.machine("tooled", iso=image)
        done = move(road, domain)

        assert done.state == OperationState.SUCCEEDED, done.error
        drive = road.domain(domain.uuid).disks.get(device="cdrom")
        assert drive.path == "/var/lib/libvirt/isos/tool.iso"
        there.virsh("destroy", str(domain.uuid))
        there.virsh("start", str(domain.uuid))
        there.virsh("pool-destroy", "isos")
        there.virsh("pool-undefine", "isos")


class TestSharedStorage:
    @pytest.fixture
    def both(self, road: Road) -> Iterator[str]:
        """A pool of that name on both hosts, in one directory."""
        for lab in road.lab.hosts:
            lab.virsh("pool-define-as", "both", "dir", "--target", str(road.lab.shared))
            lab.virsh("pool-start", "both")
        road.look()
        yield "both"
        for lab in road.lab.hosts:
            lab.virsh("pool-destroy", "both")
            lab.virsh("pool-undefine", "both")
        for path in road.lab.shared.iterdir():
            path.unlink()

    def test_is_proved_and_nothing_is_copied(self, road: Road, both: str) -> None:
        domain = road.machine("sharer", pool_name=both)
        road.lab.hosts[1].virsh("pool-refresh", both)
        road.look()
        before = sorted(path.name for path in road.lab.shared.iterdir())

        done = move(road, domain)

        assert done.state == OperationState.SUCCEEDED, done.error
        assert done.steps.count() == 4
        assert road.states(domain.uuid) == ["", "running"]
        assert sorted(path.name for path in road.lab.shared.iterdir()) == before

    def test_leaves_the_disk_taken_where_it_came_from(self, road: Road, both: str, cast: Cast) -> None:
        domain = road.machine("sharer", pool_name=both, start=False)
        road.lab.hosts[1].virsh("pool-refresh", both)
        road.look()
        old = road.volume(domain.uuid)
        Volume.objects.filter(pk=old.pk).update(team=cast.team)

        done = move(road, domain)

        assert done.state == OperationState.SUCCEEDED, done.error
        new = road.volume(domain.uuid)
        assert (new.pool.host, new.team, new.ours) == (road.there, cast.team, True)
        old = Volume.objects.select_related("pool__host").get(pk=old.pk)
        with pytest.raises(Conflict, match="sharer"):
            delete_volume(volume=old, actor=road.actor)
        with borrow(road.here) as hypervisor, pytest.raises(Conflict, match="sharer"):
            refuse_if_plugged_in(hypervisor, old)

    def test_lets_it_run_there_before_its_memory_has_come(self, road: Road, both: str) -> None:
        domain = road.machine("hasty", pool_name=both, guest=tiny_guest())
        road.lab.hosts[1].virsh("pool-refresh", both)
        road.look()
        time.sleep(5)  # until its kernel has filled some memory

        done = move(road, domain, bandwidth_mib_s=4, post_copy_after_s=1)

        assert done.state == OperationState.SUCCEEDED, (done.error, done.left_behind)
        assert "It runs at the target; the rest of its memory follows." in [
            line.text for line in done.log.all()
        ]
        assert road.states(domain.uuid) == ["", "running"]

    def test_is_not_cancelled_once_it_runs_there(self, road: Road, both: str) -> None:
        domain = road.machine("hasty", pool_name=both, guest=tiny_guest())
        road.lab.hosts[1].virsh("pool-refresh", both)
        road.look()
        time.sleep(5)
        options = MoveOptions(bandwidth_mib_s=4, post_copy_after_s=1)
        asked = migrate(domain=domain, target=road.there, options=options, actor=road.actor)
        too_late = threading.Thread(target=cancel_on_the_way, args=[asked])

        too_late.start()
        done = carry_out(asked.pk)
        too_late.join()

        assert (done.state, done.cancel_requested) == (OperationState.SUCCEEDED, True), done.error
        assert road.states(domain.uuid) == ["", "running"]

    def test_is_not_believed_because_of_a_name(self, road: Road) -> None:
        domain = road.machine("deceived")
        name = road.volume(domain.uuid).name
        road.lab.hosts[1].virsh("vol-create-as", "default", name, "1G", "--format", "qcow2")
        road.look()

        done = move(road, domain)

        assert done.state == OperationState.FAILED
        assert done.error == "Disk vda is not on shared storage: both hosts have a file of that name."
        assert road.states(domain.uuid) == ["running", ""]
        assert move(road, domain, copy=True).state == OperationState.SUCCEEDED


class TestOff:
    @pytest.mark.parametrize("disk_format", ["qcow2", "raw"])
    def test_copies_the_bytes(self, road: Road, disk_format: str) -> None:
        domain = road.machine("parcel", disk_format=disk_format, start=False)

        done = move(road, domain)

        assert done.state == OperationState.SUCCEEDED, (done.error, done.left_behind)
        assert road.states(domain.uuid) == ["", "shut off"]
        volume = road.volume(domain.uuid)
        assert travel.holds(road.image(volume), disk_format)
        assert road.domain(domain.uuid).host == road.there
        road.lab.hosts[1].virsh("start", str(domain.uuid))

    def test_is_not_copied_once_it_runs(self, road: Road) -> None:
        domain = road.machine("woken", start=False)
        asked = migrate(domain=domain, target=road.there, options=MoveOptions(), actor=road.actor)
        road.lab.hosts[0].virsh("start", str(domain.uuid))

        done = carry_out(asked.pk)

        assert (done.state, done.error) == (OperationState.FAILED, "It was started meanwhile.")
        assert road.states(domain.uuid) == ["running", ""]

    @pytest.mark.parametrize("moment", [Migrate, Arrive])
    def test_stays_where_it_was_started_meanwhile(self, road: Road, moment: type[Step]) -> None:
        domain = road.machine("woken", start=False)
        run, steps = begun(road, domain, moment)
        road.lab.hosts[0].virsh("start", str(domain.uuid))

        with pytest.raises(Conflict, match="woken was started on its old host meanwhile"):
            steps[moment].do(run)

        assert road.domain(domain.uuid).host == road.here

    def test_is_started_by_one_host_alone_when_that_reboots(self, road: Road) -> None:
        domain = road.machine("early", start=False)
        here, there = road.lab.hosts[:2]
        here.virsh("autostart", str(domain.uuid))
        run, steps = begun(road, domain, Arrive)
        assert [autostarts(lab, domain) for lab in (here, there)] == [False, False]

        steps[Arrive].do(run)

        assert [autostarts(lab, domain) for lab in (here, there)] == [False, True]

    def test_is_started_by_its_host_again_where_it_stayed(self, road: Road) -> None:
        domain = road.machine("homely", start=False)
        here, there = road.lab.hosts[:2]
        here.virsh("autostart", str(domain.uuid))
        run, steps = begun(road, domain, Arrive)
        there.virsh("undefine", str(domain.uuid))

        steps[Migrate].undo(run)

        assert autostarts(here, domain)


class TestRefusals:
    def test_of_who_may_not(self, road: Road, cast: Cast) -> None:
        domain = road.machine("guarded", start=False)
        domain.owner = cast.lead
        domain.save()

        with pytest.raises(Forbidden):
            migrate(domain=domain, target=road.there, options=MoveOptions(), actor=cast.lead)

    def test_name_the_network_that_is_missing(self, road: Road) -> None:
        domain = road.machine("plugged")
        road.there.networks.update(active=False)

        with pytest.raises(Conflict, match="Network default is not active on kvm2"):
            migrate(domain=domain, target=road.there, options=MoveOptions(), actor=road.actor)

    def test_tell_a_name_that_virsh_took_meanwhile(self, road: Road) -> None:
        domain = road.machine("twin", start=False)
        asked = migrate(domain=domain, target=road.there, options=MoveOptions(), actor=road.actor)
        road.lab.hosts[1].exec(
            "sh",
            "-c",
            'virsh dumpxml --help >/dev/null; echo \'<domain type="qemu"><name>twin</name>'
            "<memory>32768</memory><os><type>hvm</type></os></domain>' > /tmp/twin.xml; virsh define /tmp/twin.xml",
        )

        done = carry_out(asked.pk)

        assert done.state == OperationState.FAILED
        assert done.error == "kvm2 has a virtual machine called twin."
        assert road.states(domain.uuid) == ["shut off", ""]
        assert road.volumes()[1] == []
