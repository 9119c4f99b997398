"""Snapshots on a real host: what is kept, how, and what comes back; and that nothing of it is left over."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from domains.actions import snapshots as actions
from domains.models import Domain, DomainState, Snapshot, SnapshotMemory
from hosts.models import Host
from operations.models import Operation, OperationState
from tests.conftest import Cast
from tests.domains.snapshots import Bench
from tests.lab.host import LabHost
from tests.stage import carry_out


@pytest.fixture
def bench(real_host: Host, lab_host: LabHost) -> Iterator[Bench]:
    bench = Bench(lab_host, real_host)
    yield bench
    bench.clear()


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
