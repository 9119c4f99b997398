"""Going back when other things happened since: to the machine's disks, to what it was given, to the panel itself."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from lxml import etree
from lxml.builder import E

from accounts.models import User
from core.errors import InvalidInput
from domains.actions import disks
from domains.actions import snapshots as actions
from domains.disk_wishes import ExistingDisk
from domains.models import Domain, DomainState, Snapshot
from domains.procedures.snapshot_files import host_awaited
from hosts.connections import borrow
from hosts.models import Host
from hypervisor.driver import Hypervisor
from hypervisor.errors import Unreachable
from hypervisor.specs import BackingSpec, ImageFormat, VolumeSpec
from operations.engine import ATTEMPTS
from operations.models import Operation, OperationState, OperationStep, StepState
from operations.run import Run
from storage.models import Volume
from tests.conftest import Cast
from tests.domains.snapshots import MIB, Bench
from tests.lab.host import LabHost
from tests.stage import carry_out


@pytest.fixture
def bench(real_host: Host, lab_host: LabHost) -> Iterator[Bench]:
    bench = Bench(lab_host, real_host)
    yield bench
    bench.lab.clear()


def ended(operation: Operation, state: OperationState) -> Operation:
    operation = carry_out(operation.pk)
    assert operation.state == state, (operation.error, operation.left_behind)
    return operation


def taken(bench: Bench, domain: Domain, cast: Cast) -> Snapshot:
    ended(actions.take(domain=domain, label="one", actor=cast.operator), OperationState.SUCCEEDED)
    return bench.shot(bench.seen(domain.uuid), "one")


def back_to(snapshot: Snapshot, actor: User, state: OperationState) -> Operation:
    return ended(actions.revert(snapshot=snapshot, actor=actor), state)


def detach(bench: Bench, domain: Domain, target: str) -> Volume:
    path = domain.disks.get(target=target).path
    bench.lab.virsh("detach-disk", str(domain.uuid), target, "--config")
    bench.seen(domain.uuid)
    return Volume.objects.get(path=path)


class TestADiskThatWasTakenOut:
    @pytest.mark.parametrize(("uefi", "seen"), [(True, False), (False, False), (False, True)])
    def test_and_given_to_another_machine(
        self,
        bench: Bench,
        cast: Cast,
        uefi: bool,  # noqa: FBT001
        seen: bool,  # noqa: FBT001
    ) -> None:
        domain, other = bench.machine(uefi=uefi, formats=("qcow2", "qcow2")), bench.machine("other")
        path = domain.disks.get(target="vdb").path
        one = taken(bench, domain, cast)
        detach(bench, bench.seen(domain.uuid), "vdb")
        bench.lab.virsh("attach-disk", "other", path, "vdb", "--subdriver", "qcow2", "--config")
        bench.write(other, 7, target="vdb")
        if not seen:
            Domain.objects.get(pk=other.pk).disks.filter(target="vdb").delete()

        failed = back_to(one, cast.operator, OperationState.FAILED)

        assert "other" in failed.error
        assert bench.reads(other, 7, target="vdb")
        assert [disk.target for disk in bench.seen(domain.uuid).disks.all()] == ["vda"]

    def test_is_not_for_other_machines_yet(self, bench: Bench, cast: Cast) -> None:
        domain, other = bench.machine(formats=("qcow2", "qcow2")), bench.machine("other")
        one = taken(bench, domain, cast)
        with pytest.raises(InvalidInput, match="a snapshot needs it"):
            disks.detach(domain=domain, target="vdb", delete_volume=True, actor=cast.operator)
        volume = detach(bench, domain, "vdb")

        with pytest.raises(InvalidInput, match="snapshot"):
            disks.attach(domain=other, wanted=ExistingDisk(volume=volume), actor=cast.operator)
        again = disks.attach(
            domain=bench.seen(domain.uuid), wanted=ExistingDisk(volume=volume), actor=cast.operator
        )
        ended(again, OperationState.SUCCEEDED)
        back_to(one, cast.operator, OperationState.SUCCEEDED)

    def test_and_deleted(self, bench: Bench, cast: Cast) -> None:
        domain = bench.machine(formats=("qcow2", "qcow2"))
        one = taken(bench, domain, cast)
        volume = detach(bench, domain, "vdb")
        (bench.lab.pool_path / volume.name).unlink()
        bench.write(domain, 5)

        assert "vdb of that moment is gone" in back_to(one, cast.operator, OperationState.FAILED).error
        assert bench.reads(domain, 5)


def test_a_disk_that_another_was_based_on_since(bench: Bench, cast: Cast) -> None:
    domain = bench.machine()
    one = taken(bench, domain, cast)
    backing = BackingSpec(path=domain.disks.get().path, format=ImageFormat.QCOW2)
    spec = VolumeSpec(name="layer.qcow2", format=ImageFormat.QCOW2, capacity_bytes=8 * MIB, backing=backing)
    with borrow(bench.host) as hypervisor:
        hypervisor.create_volume(bench.pool.uuid, spec)

    assert "layer.qcow2 is based on" in back_to(one, cast.operator, OperationState.FAILED).error


class TestWhatWasTakenAway:
    """The owner of a machine may go back, but not give it what only others may give it."""

    @pytest.mark.parametrize(
        ("device", "words", "uefi"),
        [
            (E.interface(E.source(network="default"), type="network"), "network default", False),
            (
                E.hostdev(
                    E.source(E.vendor(id="0x1234"), E.product(id="0xbeef")), mode="subsystem", type="usb"
                ),
                "a device of the host",
                True,
            ),
            (
                E.channel(
                    E.source(mode="bind", host="0.0.0.0", service="4444"),
                    E.target(type="virtio", name="open"),
                    type="tcp",
                ),
                "over the network",
                False,
            ),
        ],
    )
    def test_stays_away(
        self,
        bench: Bench,
        cast: Cast,
        device: Any,
        words: str,
        uefi: bool,  # noqa: FBT001
    ) -> None:
        domain = bench.machine(uefi=uefi)
        file = bench.lab.root / "device.xml"
        file.write_bytes(etree.tostring(device))
        before = bench.lab.root / "before.xml"
        before.write_text(bench.lab.virsh("dumpxml", "shot", "--inactive"))
        bench.lab.virsh("attach-device", "shot", str(file), "--config")
        one = taken(bench, bench.seen(domain.uuid), cast)
        root: Any = etree.fromstring(bench.lab.virsh("dumpxml", "shot", "--inactive").encode())
        found = root.find(f"devices/{device.tag}[@type='{device.get('type')}']")
        found.getparent().remove(found)
        before.write_bytes(etree.tostring(root))
        bench.lab.virsh("define", str(before))
        Domain.objects.filter(pk=domain.pk).update(owner=cast.stranger)
        files = (bench.seen(domain.uuid), bench.files())[1]

        failed = back_to(bench.shot(domain, "one"), cast.stranger, OperationState.FAILED)

        assert words in failed.error
        assert bench.files() == files
        back_to(one, cast.superuser, OperationState.SUCCEEDED)


class TestAPanelThatDied:
    """After libvirt did it and before that was written down; the next day the panel comes back."""

    @staticmethod
    def die_at(operation: Operation, title: str) -> None:
        OperationStep.objects.filter(operation=operation, title=title).update(state=StepState.RUNNING)
        Operation.objects.filter(pk=operation.pk).update(
            state=OperationState.QUEUED, finished_at=None, not_before=None
        )

    def test_going_back_is_not_done_twice(self, bench: Bench, cast: Cast) -> None:
        domain = bench.machine()
        one = taken(bench, domain, cast)
        operation = back_to(one, cast.operator, OperationState.SUCCEEDED)
        self.die_at(operation, "Go back")
        bench.write(domain, 9)

        assert "Nobody can tell" in ended(operation, OperationState.FAILED).error
        assert bench.reads(domain, 9)

    @pytest.mark.parametrize("has_run", [True, False])
    def test_memory_goes_with_the_disks_of_its_moment(
        self,
        bench: Bench,
        cast: Cast,
        has_run: bool,  # noqa: FBT001
    ) -> None:
        domain = bench.machine(uefi=True, on=True)
        one = taken(bench, domain, cast)
        operation = back_to(one, cast.operator, OperationState.SUCCEEDED)
        self.die_at(operation, "Let it go on from its memory")
        bench.lab.virsh("destroy", "shot")
        if not has_run:
            ended(operation, OperationState.SUCCEEDED)
            domain.refresh_from_db()
            assert bench.seen(domain.uuid).state == DomainState.RUNNING
            return
        bench.write(domain, 9)

        assert "has run since" in ended(operation, OperationState.FAILED).error
        assert bench.reads(domain, 9)


class TestAHostThatIsLost:
    """While files are merged there is no way back, and a machine that was off is on."""

    def test_is_awaited(self, bench: Bench, cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
        domain = bench.machine(uefi=True)
        one = taken(bench, domain, cast)
        operation = actions.delete(snapshot=one, children=False, actor=cast.operator)
        with monkeypatch.context() as broken:
            broken.setattr(Hypervisor, "begin_merge", lost)
            for _ in range(2 * ATTEMPTS):
                operation = ended(operation, OperationState.QUEUED)
                assert "goes on when the host is back" in operation.message
                Operation.objects.update(not_before=None)
        assert bench.lab.virsh("domstate", "shot").strip() == "paused"

        ended(operation, OperationState.SUCCEEDED)
        assert bench.lab.virsh("domstate", "shot").strip() == "shut off"
        assert len(bench.files()) == 1

    def test_but_not_for_ever(self, bench: Bench, cast: Cast) -> None:
        domain = bench.machine()
        operation = actions.take(domain=domain, label="one", actor=cast.operator)
        operation.created_at -= timedelta(days=2)

        with pytest.raises(Unreachable), host_awaited(Run(operation)):
            lost()


def lost(*_: Any, **__: Any) -> None:
    raise Unreachable("The line broke.")
