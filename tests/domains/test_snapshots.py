"""Snapshots on a real host: what is kept, how, and what comes back; and that nothing of it is left over."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.utils import timezone

from core.errors import Conflict, InvalidInput
from domains.actions import snapshot_schedule as rules
from domains.actions import snapshots as actions
from domains.actions.delete import delete as delete_machine
from domains.actions.delete import disks_of
from domains.models import Domain, DomainState, Snapshot, SnapshotMemory, SnapshotSchedule
from hosts.models import Host
from hypervisor.driver import Hypervisor
from hypervisor.errors import Unreachable
from operations.models import Operation, OperationState
from storage.models import Pool, Volume
from tests.conftest import Cast
from tests.domains.snapshots import Bench
from tests.lab.host import LabHost
from tests.stage import carry_out


@pytest.fixture
def bench(real_host: Host, lab_host: LabHost) -> Iterator[Bench]:
    bench = Bench(lab_host, real_host)
    yield bench
    bench.lab.clear()


def done(operation: Operation) -> Operation:
    for _ in range(60):
        Operation.objects.filter(pk=operation.pk, state="queued").update(not_before=None)
        operation = carry_out(operation.pk)
        if not operation.active:
            break
    assert operation.state == OperationState.SUCCEEDED, (operation.error, operation.left_behind)
    return operation


def take(domain: Domain, cast: Cast, label: str, *, memory: bool = True) -> Snapshot:
    done(actions.take(domain=domain, label=label, memory=memory, actor=cast.operator))
    found: Snapshot = Snapshot.objects.select_related("domain__host").get(domain=domain, label=label)
    return found


def back_to(snapshot: Snapshot, cast: Cast) -> None:
    done(actions.revert(snapshot=snapshot, actor=cast.operator))


def delete(snapshot: Snapshot, cast: Cast, *, children: bool = False) -> None:
    done(actions.delete(snapshot=snapshot, children=children, actor=cast.operator))


class TestInsideTheDisks:
    def test_off(self, bench: Bench, cast: Cast) -> None:
        domain = bench.machine()
        before = bench.files()
        bench.write(domain, 1)
        one = take(bench.seen(domain.uuid), cast, "one")
        bench.write(domain, 2)

        assert (one.external, one.memory, one.current) == (False, SnapshotMemory.NONE, True)
        assert bench.files() == before
        back_to(one, cast)
        assert bench.reads(domain, 1)
        delete(one, cast)
        assert bench.reads(domain, 1)
        assert not Snapshot.objects.present().exists()

    def test_on_with_memory(self, bench: Bench, cast: Cast, lab_host: LabHost) -> None:
        domain = bench.machine(on=True)
        one = take(domain, cast, "one")
        assert (one.memory, one.running) == (SnapshotMemory.INTERNAL, True)

        lab_host.virsh("destroy", "shot")
        back_to(bench.shot(bench.seen(domain.uuid), "one"), cast)

        domain.refresh_from_db()
        assert domain.state == DomainState.RUNNING


class TestInFilesOfTheirOwn:
    @pytest.mark.parametrize(("uefi", "formats"), [(True, ("qcow2",)), (False, ("raw", "qcow2"))])
    def test_off(self, bench: Bench, cast: Cast, uefi: bool, formats: tuple[str, ...]) -> None:  # noqa: FBT001
        domain = bench.machine(uefi=uefi, formats=formats)
        before = bench.files()
        for pattern, label in ((1, "one"), (2, "two"), (3, "three")):
            bench.write(domain, pattern)
            take(bench.seen(domain.uuid), cast, label)
        bench.write(domain, 4)

        assert all(Snapshot.objects.values_list("external", flat=True))
        back_to(bench.shot(domain, "two"), cast)
        assert bench.reads(domain, 2)
        bench.write(domain, 5)
        back_to(bench.shot(domain, "one"), cast)
        assert bench.reads(domain, 1)
        back_to(bench.shot(domain, "three"), cast)
        assert bench.reads(domain, 3)
        delete(bench.shot(domain, "two"), cast)
        assert bench.reads(domain, 3)
        back_to(bench.shot(domain, "three"), cast)
        assert bench.reads(domain, 3)
        delete(bench.shot(domain, "one"), cast, children=True)
        assert bench.reads(domain, 3)
        assert bench.files() == before
        assert bench.lab.virsh("snapshot-list", "shot", "--name").split() == []

    def test_on_with_memory(self, bench: Bench, cast: Cast) -> None:
        domain = bench.machine(uefi=True, on=True)
        before = bench.files()
        one = take(domain, cast, "one")
        assert one.memory == SnapshotMemory.EXTERNAL
        two = take(bench.seen(domain.uuid), cast, "two")

        back_to(one, cast)
        domain.refresh_from_db()
        assert domain.state == DomainState.RUNNING
        delete(two, cast)
        delete(one, cast)
        domain.refresh_from_db()
        assert domain.state == DomainState.RUNNING
        assert bench.files() == before


class TestGoneWrong:
    def test_storage_that_fills_up_meanwhile(self, bench: Bench, cast: Cast, lab_host: LabHost) -> None:
        with bench.small_pool() as pool:
            domain = bench.machine(uefi=True, on=True)
            Pool.objects.filter(pk=pool.pk).update(available_bytes=10**12)
            operation = carry_out(actions.take(domain=domain, label="one", actor=cast.operator).pk)

            assert (operation.state, operation.left_behind) == (OperationState.FAILED, "")
            assert "space" in operation.error.lower()
            assert lab_host.virsh("domstate", "shot").strip() == "running"
            assert len(lab_host.virsh("vol-list", "small").splitlines()) == 1
            assert not Volume.objects.filter(pool=pool, ours=True, gone_at=None).exists()

    def test_an_agent_that_is_not_there(self, bench: Bench, cast: Cast, lab_host: LabHost) -> None:
        domain = bench.machine(on=True)
        asked = actions.take(domain=domain, label="one", memory=False, quiesce=True, actor=cast.operator)
        operation = carry_out(asked.pk)

        assert (operation.state, "agent" in operation.error) == (OperationState.FAILED, True)
        assert len(bench.files()) == 1
        assert lab_host.virsh("snapshot-list", "shot", "--name").split() == []

    def test_disks_that_were_exchanged_meanwhile(self, bench: Bench, cast: Cast, lab_host: LabHost) -> None:
        domain = bench.machine(uefi=True)
        asked = actions.take(domain=domain, label="one", actor=cast.operator)
        lab_host.virsh("detach-disk", "shot", "vda", "--config")

        operation = carry_out(asked.pk)
        assert (operation.state, "disks are others" in operation.error) == (OperationState.FAILED, True)
        assert len(bench.files()) == 1

    def test_a_machine_that_virsh_removed(self, bench: Bench, cast: Cast, lab_host: LabHost) -> None:
        domain = bench.machine()
        asked = actions.take(domain=domain, label="one", actor=cast.operator)
        lab_host.virsh("undefine", "shot")

        operation = carry_out(asked.pk)
        assert (operation.state, "not on its host" in operation.error) == (OperationState.FAILED, True)

    def test_a_file_that_was_deleted_and_nobody_heard_of_it(
        self, bench: Bench, cast: Cast, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        domain = bench.machine(uefi=True)
        one = take(domain, cast, "one")
        bench.seen(domain.uuid)
        delete_volume = Hypervisor.delete_volume

        def unheard(*arguments: Any) -> None:
            monkeypatch.undo()
            delete_volume(*arguments)
            raise Unreachable("The connection broke.")

        monkeypatch.setattr(Hypervisor, "delete_volume", unheard)
        delete(one, cast)

        assert Hypervisor.delete_volume is delete_volume
        assert {volume.name for volume in Volume.objects.present().filter(pool=bench.pool)} == bench.files()
        assert len(bench.files()) == 1

    def test_a_branch_keeps_what_it_is_based_on(self, bench: Bench, cast: Cast) -> None:
        domain = bench.machine(uefi=True)
        one = take(domain, cast, "one")
        take(bench.seen(domain.uuid), cast, "two")
        back_to(one, cast)
        take(bench.seen(domain.uuid), cast, "other")
        one = bench.shot(bench.seen(domain.uuid), "one")

        with pytest.raises(Conflict, match="Snapshot “(two|other)” goes on"):
            actions.delete(snapshot=one, children=False, actor=cast.operator)
        delete(one, cast, children=True)
        assert len(bench.files()) == 1
        assert bench.lab.virsh("snapshot-list", "shot", "--name").split() == []


class TestBeside:
    """What others did, and what other rooms make of it."""

    def test_those_that_virsh_made(self, bench: Bench, cast: Cast, lab_host: LabHost) -> None:
        domain = bench.machine()
        lab_host.virsh("snapshot-create-as", "shot", "<b>by hand", "why & how")
        domain = bench.seen(domain.uuid)

        row = Snapshot.objects.get()
        assert (str(row), row.description, row.author) == ("<b>by hand", "why & how", None)
        back_to(row, cast)
        delete(row, cast)
        assert lab_host.virsh("snapshot-list", "shot", "--name").split() == []

    def test_a_machine_that_was_renamed_since(self, bench: Bench, cast: Cast, lab_host: LabHost) -> None:
        domain = bench.machine(uefi=True)
        one = take(domain, cast, "disks")
        lab_host.virsh("start", "shot")
        two = take(bench.seen(domain.uuid), cast, "memory")
        lab_host.virsh("destroy", "shot")
        lab_host.virsh("domrename", "shot", "other")
        before = (bench.seen(domain.uuid), bench.files())[1]

        refused = carry_out(actions.revert(snapshot=two, actor=cast.operator).pk)
        assert "It was called shot then" in refused.error
        assert bench.files() == before
        back_to(one, cast)
        domain.refresh_from_db()
        assert (domain.name, domain.state) == ("other", DomainState.OFF)

    def test_the_machine_is_deleted_with_all_its_files(self, bench: Bench, cast: Cast) -> None:
        domain = bench.machine(uefi=True, on=True)
        one = take(domain, cast, "one")
        take(bench.seen(domain.uuid), cast, "two")
        back_to(one, cast)
        domain = bench.seen(domain.uuid)
        disks = disks_of(domain)

        lowest = next(one.volume for one in disks if "vda" in one.target and not one.volume.backing_path)
        assert {disk.kept_because for disk in disks} == {""}
        with pytest.raises(InvalidInput, match="is based on one"):
            delete_machine(domain=domain, volumes=[lowest.uuid], actor=cast.operator)
        every = [disk.volume.uuid for disk in disks]
        done(delete_machine(domain=domain, volumes=every, actor=cast.operator))
        assert bench.files() == set()

    def test_a_rule_takes_and_deletes(self, bench: Bench, cast: Cast) -> None:
        domain = bench.machine()
        rules.set_schedule(domain=domain, every_hours=1, minute=0, keep=1, memory=False, actor=cast.operator)
        for _ in range(2):
            SnapshotSchedule.objects.update(next_at=timezone.now())
            rules.take_due()
            done(Operation.objects.active().get())
            bench.seen(domain.uuid)
        rules.take_due()
        done(Operation.objects.active().get())

        row = Snapshot.objects.present().get()
        assert (row.scheduled, row.author, row.label[:9]) == (True, cast.operator, "Scheduled")
