"""A new machine: what it is made of, and that nothing is left where it fails."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from audit.models import Entry
from core.errors import Conflict, Forbidden, InvalidInput
from domains.actions.create import create
from domains.actions.delete import delete
from domains.models import Domain, DomainState
from domains.wishes import NewDomain
from hosts.connections import borrow
from hosts.models import Host
from hypervisor.errors import HypervisorError
from operations.models import Operation, OperationState
from storage.models import Pool, Volume
from tests.conftest import Cast
from tests.lab.host import LabHost
from tests.stage import carry_out

Ask = Callable[..., NewDomain]


@pytest.fixture(autouse=True)
def tidy(lab_host: LabHost) -> Iterator[None]:
    """Each test leaves the host as it found it."""
    yield
    lab_host.clear()


def define_by_hand(lab: LabHost, name: str) -> None:
    """What somebody else does with virsh, beside the panel."""
    document = lab.root / f"{name}.xml"
    document.write_text(
        f"<domain type='qemu'><name>{name}</name><memory>65536</memory><os><type>hvm</type></os></domain>"
    )
    lab.virsh("define", str(document))


def volumes_of(lab: LabHost) -> list[str]:
    return sorted(path.name for path in lab.pool_path.iterdir() if path.suffix in (".qcow2", ".img"))


class TestCreate:
    @pytest.mark.parametrize("disk_format", ["qcow2", "raw"])
    def test_ends_with_a_running_machine(
        self, ask: Ask, cast: Cast, lab_host: LabHost, real_host: Host, disk_format: str
    ) -> None:
        size = 5 if disk_format == "qcow2" else 1
        new = ask(disk_format=disk_format, disk_gib=size, description="for <tests> & more")

        operation = carry_out(create(new=new, actor=cast.operator).pk)

        assert operation.state == OperationState.SUCCEEDED, operation.error
        domain = Domain.objects.get(uuid=operation.target_id)
        assert (domain.state, domain.vcpus, domain.memory_mib) == (DomainState.RUNNING, 1, 128)
        assert domain.owner == cast.operator
        disk = Volume.objects.get(uuid=operation.params["disk"])
        assert disk.ready
        assert (disk.format, disk.capacity_bytes) == (disk_format, size * 1024**3)
        with borrow(real_host) as hypervisor:
            facts = hypervisor.read_domain(domain.uuid)
        assert (facts.marker, facts.description, facts.machine.split("-")[1]) == (
            "kvmpanel",
            "for <tests> & more",
            "q35",
        )
        assert [nic.source for nic in facts.nics] == ["default"]
        assert facts.graphics[0].listen == "127.0.0.1"
        assert facts.graphics[0].has_password

    def test_with_uefi(self, ask: Ask, cast: Cast) -> None:
        operation = carry_out(create(new=ask(firmware="uefi"), actor=cast.operator).pk)

        assert operation.state == OperationState.SUCCEEDED, operation.error
        assert Domain.objects.get(uuid=operation.target_id).firmware == "uefi"

    def test_without_start_stays_off(self, ask: Ask, cast: Cast) -> None:
        operation = carry_out(create(new=ask(start=False), actor=cast.operator).pk)

        assert operation.state == OperationState.SUCCEEDED, operation.error
        assert Domain.objects.get(uuid=operation.target_id).state == DomainState.OFF

    def test_leaves_an_audit_row(self, ask: Ask, cast: Cast) -> None:
        operation = create(new=ask(), actor=cast.operator)

        entry = Entry.objects.get(verb="domain.create")
        assert (entry.actor_name, entry.target_key) == ("operator", str(operation.target_id))

    def test_the_same_key_twice_is_one_machine(self, ask: Ask, cast: Cast) -> None:
        first = create(new=ask(), actor=cast.operator, idempotency_key="click-1")
        second = create(new=ask(), actor=cast.operator, idempotency_key="click-1")

        assert first == second
        assert Domain.objects.count() == 1
        assert Volume.objects.filter(ours=True).count() == 1

    @pytest.mark.parametrize("who", ["auditor", "lead", "member", "stranger"])
    def test_is_refused_to_who_may_not(self, ask: Ask, cast: Cast, who: str) -> None:
        with pytest.raises(Forbidden):
            create(new=ask(), actor=cast.people()[who])
        assert not Domain.objects.exists()


class TestBadInput:
    @pytest.mark.parametrize(
        ("changes", "field"),
        [
            ({"name": ""}, "name"),
            ({"name": "x" * 300}, "name"),
            ({"name": "../x"}, "name"),
            ({"name": "<b>"}, "name"),
            ({"name": "a\nb"}, "name"),
            ({"name": "a\n"}, "name"),
            ({"name": "-rf"}, "name"),
            ({"name": "ünï"}, "name"),
            ({"vcpus": 0}, "vcpus"),
            ({"vcpus": -1}, "vcpus"),
            ({"vcpus": 100_000}, "vcpus"),
            ({"memory_mib": 0}, "memory_mib"),
            ({"memory_mib": 2**40}, "memory_mib"),
            ({"disk_gib": 0}, "disk_gib"),
            ({"disk_gib": -5}, "disk_gib"),
            ({"disk_gib": 10 * 1024**3}, "disk_gib"),
            ({"disk_gib": 60_000}, "disk_gib"),
            ({"disk_format": "vmdk"}, "disk_format"),
            ({"firmware": "coreboot"}, "firmware"),
            ({"description": "x" * 1001}, "description"),
            ({"description": "a\x00b"}, "description"),
        ],
    )
    def test_is_refused_beside_its_field_and_leaves_nothing(
        self, ask: Ask, cast: Cast, changes: dict[str, Any], field: str
    ) -> None:
        with pytest.raises(InvalidInput) as refusal:
            create(new=ask(**changes), actor=cast.operator)

        assert refusal.value.field == field
        assert not Domain.objects.exists()
        assert not Volume.objects.filter(ours=True).exists()
        assert not Operation.objects.exists()

    def test_a_taken_name(self, ask: Ask, cast: Cast) -> None:
        create(new=ask(), actor=cast.operator)

        with pytest.raises((InvalidInput, Conflict)):
            create(new=ask(), actor=cast.superuser)
        assert Domain.objects.count() == 1

    def test_another_hosts_pool(self, ask: Ask, cast: Cast, host: Host) -> None:
        elsewhere = Pool.objects.create(
            host=host, uuid="5f0e2d5e-0000-4000-8000-000000000001", name="p", kind="dir", state="running"
        )
        with pytest.raises(InvalidInput) as refusal:
            create(new=ask(pool=elsewhere, disk_gib=1), actor=cast.operator)
        assert refusal.value.field in ("pool", "disk_gib")


class TestFailure:
    def test_a_name_that_virsh_took_meanwhile(self, ask: Ask, cast: Cast, lab_host: LabHost) -> None:
        operation = create(new=ask(), actor=cast.operator)
        define_by_hand(lab_host, "web1")

        ended = carry_out(operation.pk)

        assert ended.state == OperationState.FAILED
        assert "already" in ended.error
        assert ended.left_behind == ""
        assert volumes_of(lab_host) == []
        assert not Domain.objects.present().exists()

    @pytest.mark.parametrize("broken", ["define_domain", "start_domain", "read_domain_and_definition"])
    def test_at_each_step_takes_everything_back(
        self, ask: Ask, cast: Cast, lab_host: LabHost, monkeypatch: pytest.MonkeyPatch, broken: str
    ) -> None:
        def refuse(*args: Any, **kwargs: Any) -> None:
            raise HypervisorError("The host said no.")

        operation = create(new=ask(), actor=cast.operator)
        monkeypatch.setattr(f"hypervisor.driver.Hypervisor.{broken}", refuse)

        ended = carry_out(operation.pk)

        assert (ended.state, ended.error) == (OperationState.FAILED, "The host said no.")
        assert lab_host.virsh("list", "--all", "--name").strip() == ""
        assert volumes_of(lab_host) == []
        assert not Domain.objects.present().exists()
        assert not Volume.objects.present().filter(ours=True).exists()

    def test_cancelled_before_it_began(self, ask: Ask, cast: Cast, lab_host: LabHost) -> None:
        operation = create(new=ask(), actor=cast.operator)
        Operation.objects.filter(pk=operation.pk).update(cancel_requested=True)

        assert carry_out(operation.pk).state == OperationState.CANCELLED
        assert volumes_of(lab_host) == []
        assert not Domain.objects.present().exists()


class TestDelete:
    def made(self, ask: Ask, cast: Cast, **changes: Any) -> Domain:
        operation = carry_out(create(new=ask(**changes), actor=cast.operator).pk)
        return Domain.objects.get(uuid=operation.target_id)

    def test_takes_the_machine_and_the_chosen_disks(self, ask: Ask, cast: Cast, lab_host: LabHost) -> None:
        domain = self.made(ask, cast)
        disk = Volume.objects.get(ours=True)

        ended = carry_out(delete(domain=domain, volumes=[disk.uuid], actor=cast.operator).pk)

        assert ended.state == OperationState.SUCCEEDED, ended.error
        assert lab_host.virsh("list", "--all", "--name").strip() == ""
        assert volumes_of(lab_host) == []
        assert not Domain.objects.present().exists()
        assert Volume.objects.present().filter(ours=True).count() == 0

    def test_keeps_disks_that_were_not_chosen(self, ask: Ask, cast: Cast, lab_host: LabHost) -> None:
        domain = self.made(ask, cast)

        ended = carry_out(delete(domain=domain, volumes=[], actor=cast.operator).pk)

        assert ended.state == OperationState.SUCCEEDED, ended.error
        assert len(volumes_of(lab_host)) == 1

    def test_refuses_a_disk_of_another_machine(self, ask: Ask, cast: Cast) -> None:
        domain = self.made(ask, cast)
        other = self.made(ask, cast, name="web2")
        disk = Volume.objects.get(label="web2 disk")

        with pytest.raises(InvalidInput):
            delete(domain=domain, volumes=[disk.uuid], actor=cast.operator)
        assert other.uuid != domain.uuid

    def test_is_refused_to_who_may_not(self, ask: Ask, cast: Cast) -> None:
        domain = self.made(ask, cast)
        for who in ("auditor", "member", "stranger"):
            with pytest.raises(Forbidden):
                delete(domain=domain, volumes=[], actor=cast.people()[who])
