"""Machines made from others: their disks and their identity on a real host, and everything that is in the way."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest
from lxml import etree

from core.errors import Conflict, InvalidInput, TargetBusy
from domains import inventory
from domains.actions.clone import clone
from domains.actions.create import create
from domains.actions.delete import delete
from domains.actions.power import power
from domains.actions.template import make_machine, make_template
from domains.models import Domain, DomainState
from domains.power import PowerVerb
from domains.wishes import Clone
from hosts.connections import borrow
from operations import journal
from operations.models import Operation, OperationState
from operations.procedures import steps_of
from operations.run import Run
from storage import inventory as volumes
from storage.actions import delete_volume
from storage.models import Pool, Volume
from storage.procedures.copies import CloneVolume
from tests.conftest import Cast, program_of
from tests.lab.host import LabHost
from tests.stage import carry_out


def finished(operation: Operation) -> Operation:
    ended = carry_out(operation.pk)
    assert ended.state == OperationState.SUCCEEDED, (ended.error, ended.left_behind)
    return ended


@pytest.fixture(autouse=True)
def tidy(lab_host: LabHost) -> Iterator[None]:
    """Each test leaves the host as it found it."""
    yield
    lab_host.clear()


@pytest.fixture
def machine(ask: Any, cast: Cast, lab_host: LabHost) -> Domain:
    """web1, off, with a disk that holds a word of its guest's."""
    finished(create(new=ask(start=False, disk_gib=1), actor=cast.operator))
    domain = Domain.objects.get(name="web1")
    write(lab_host, disk_of(domain), "a word of the guest's")
    return domain


def disk_of(domain: Domain) -> str:
    path: str = domain.disks.get(device="disk").path
    return path


def write(lab: LabHost, path: str, word: str) -> None:
    lab.exec("qemu-io", "-c", f"write -P {ord(word[0])} 0 64k", path)


def reads(lab: LabHost, path: str, word: str) -> bool:
    said = lab.exec("qemu-io", "-r", "-U", "-c", f"read -P {ord(word[0])} 0 64k", path)
    return "verification failed" not in said


def info(lab: LabHost, path: str) -> Any:
    return json.loads(lab.exec("qemu-img", "info", "-U", "--output=json", path))


def definition(lab: LabHost, uuid: UUID) -> Any:
    return etree.fromstring(lab.virsh("dumpxml", "--inactive", "--security-info", str(uuid)).encode())


def copy_of(domain: Domain, **changes: Any) -> Clone:
    values: dict[str, Any] = {
        "source": Domain.objects.get(pk=domain.pk),
        "name": "web2",
        "vcpus": domain.vcpus,
        "memory_mib": domain.memory_mib,
    }
    return Clone(**{**values, **changes})


def template(domain: Domain, cast: Cast) -> Domain:
    finished(make_template(domain=domain, cleared=["machine-id"], actor=cast.operator))
    return Domain.objects.get(pk=domain.pk)


def test_a_full_copy_stands_alone_and_is_somebody_else(
    machine: Domain, cast: Cast, lab_host: LabHost
) -> None:
    new = copy_of(machine, vcpus=2, memory_mib=192, description="second <web>", start=True)
    finished(clone(new=new, actor=cast.operator))
    made = Domain.objects.get(name="web2")
    assert (made.state, made.vcpus, made.memory_mib, made.owner) == ("running", 2, 192, cast.operator)
    assert made.description == "second <web>"
    path = disk_of(made)
    assert path != disk_of(machine)
    assert "backing-filename" not in info(lab_host, path)
    assert reads(lab_host, path, "a")
    first, second = definition(lab_host, machine.uuid), definition(lab_host, made.uuid)
    for where in ("uuid", "name"):
        assert first.findtext(where) != second.findtext(where)
    for where, attribute in (("devices/interface/mac", "address"), ("devices/graphics", "passwd")):
        assert first.find(where).get(attribute) != second.find(where).get(attribute)
    assert Domain.objects.get(pk=machine.pk).state == DomainState.OFF


def test_a_linked_copy_names_its_base_and_its_format(machine: Domain, cast: Cast, lab_host: LabHost) -> None:
    base = template(machine, cast)
    finished(clone(new=copy_of(base, linked=True, start=True), actor=cast.operator))
    made = Domain.objects.get(name="web2")
    told = info(lab_host, disk_of(made))
    assert (told["backing-filename"], told["backing-filename-format"]) == (disk_of(base), "qcow2")
    assert told["actual-size"] < 1024**2
    assert reads(lab_host, disk_of(made), "a")
    disk = definition(lab_host, made.uuid).find("devices/disk[@device='disk']")
    assert disk.find("readonly") is None
    assert disk.find("backingStore/source").get("file") == disk_of(base)
    assert disk.find("backingStore/format").get("type") == "qcow2"
    assert disk.find("backingStore/backingStore") is not None


def test_what_others_are_based_on_can_neither_go_nor_change(
    machine: Domain, cast: Cast, lab_host: LabHost
) -> None:
    base = template(machine, cast)
    finished(clone(new=copy_of(base, linked=True), actor=cast.operator))
    with pytest.raises(Conflict, match="is a template"):
        power(verb=PowerVerb.START, domain=base, actor=cast.operator)
    with pytest.raises(Conflict, match="web2 are based on those of web1"):
        make_machine(domain=base, actor=cast.operator)
    with pytest.raises(Conflict, match="web2 are based on those of web1"):
        delete(domain=base, volumes=[], actor=cast.operator)
    with pytest.raises(Conflict):
        delete_volume(volume=Volume.objects.get(path=disk_of(base)), actor=cast.operator)
    # Not even beside the panel.
    assert definition(lab_host, base.uuid).find("devices/disk[@device='disk']/readonly") is not None


def test_a_template_turns_back_when_nothing_is_based_on_it(
    machine: Domain, cast: Cast, lab_host: LabHost
) -> None:
    lab_host.virsh("autostart", str(machine.uuid))
    base = template(machine, cast)
    assert (base.template, base.cleared, base.autostart) == (True, ["machine-id"], False)
    finished(make_machine(domain=base, actor=cast.operator))
    back = Domain.objects.get(pk=base.pk)
    assert (back.template, back.cleared) == (False, [])
    assert definition(lab_host, back.uuid).find("devices/disk[@device='disk']/readonly") is None


def test_a_disk_that_was_read_only_before_stays_so(machine: Domain, cast: Cast, lab_host: LabHost) -> None:
    uuid, extra = str(machine.uuid), str(lab_host.pool_path / "extra.raw")
    lab_host.virsh("vol-create-as", "default", "extra.raw", "1M")
    lab_host.virsh("attach-disk", uuid, extra, "vdz", "--config", "--mode", "readonly")

    def writable() -> list[str]:
        disks = definition(lab_host, machine.uuid).iterfind("devices/disk[@device='disk']")
        return [disk.find("target").get("dev") for disk in disks if disk.find("readonly") is None]

    before = writable()
    assert before == ["vda"]
    asked = make_template(domain=machine, cleared=[], actor=cast.operator)
    operation = journal.claim(asked.pk)
    assert operation is not None
    run, [freeze, _] = Run(operation), steps_of(operation.kind, operation.params)
    for step in (
        freeze.undo,
        freeze.do,
        freeze.do,
        freeze.undo,
    ):  # as where it is taken back, or its worker dies
        step(run)
    assert writable() == before
    journal.finish(operation, OperationState.CANCELLED)
    base = template(machine, cast)
    assert writable() == []
    finished(make_machine(domain=base, actor=cast.operator))
    assert writable() == before


def test_the_original_is_held_while_it_is_copied(machine: Domain, cast: Cast) -> None:
    clone(new=copy_of(machine), actor=cast.operator)
    with pytest.raises(TargetBusy, match="Make web2 from web1"):
        delete(domain=machine, volumes=[], actor=cast.operator)
    with pytest.raises(TargetBusy):
        power(verb=PowerVerb.START, domain=machine, actor=cast.operator)
    with pytest.raises(Conflict, match="being created"):
        delete(domain=Domain.objects.get(name="web2"), volumes=[], actor=cast.operator)


def test_a_copy_of_a_machine_that_virsh_started_is_taken_back(
    machine: Domain, cast: Cast, lab_host: LabHost
) -> None:
    operation = clone(new=copy_of(machine), actor=cast.operator)
    lab_host.virsh("start", str(machine.uuid))
    ended = carry_out(operation.pk)
    assert (ended.state, ended.left_behind) == (OperationState.FAILED, "")
    assert "was started" in ended.error
    assert not Domain.objects.present().filter(name="web2").exists()
    assert len(list(lab_host.pool_path.iterdir())) == 1


def test_a_guest_cannot_have_the_hosts_files_copied(machine: Domain, cast: Cast, lab_host: LabHost) -> None:
    """It writes a qcow2 header that names one at the beginning of its raw disk."""
    secret = lab_host.pool_path.parent / "secret"
    secret.write_bytes(b"s" * 65536)
    raw = lab_host.pool_path / "raw.img"
    lab_host.exec("qemu-img", "create", "-f", "qcow2", "-b", str(secret), "-F", "raw", str(raw))
    xml = lab_host.virsh("dumpxml", "--inactive", "--security-info", str(machine.uuid))
    document: Any = etree.fromstring(xml.encode())
    disk = document.find("devices/disk[@device='disk']")
    disk.find("source").set("file", str(raw))
    disk.find("driver").set("type", "raw")
    file = lab_host.root / "changed.xml"
    file.write_bytes(etree.tostring(document))
    lab_host.virsh("define", str(file))
    lab_host.virsh("pool-refresh", "default")
    read(machine)
    operation = clone(new=copy_of(machine), actor=cast.operator)
    ended = carry_out(operation.pk)
    assert ended.state == OperationState.FAILED
    assert "begin like qcow2" in ended.error
    assert not Domain.objects.present().filter(name="web2").exists()


def read(machine: Domain) -> None:
    """As the watcher would."""
    with borrow(machine.host) as hypervisor:
        inventory.record_domain(machine.host, hypervisor.read_domain(machine.uuid))
        for pool in Pool.objects.filter(host=machine.host):
            volumes.record_volumes(pool, hypervisor.list_volumes(pool.uuid))


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"name": "web1"}, "name"),
        ({"name": "<b>x</b>"}, "name"),
        ({"vcpus": 0}, "vcpus"),
        ({"vcpus": 4096}, "vcpus"),
        ({"memory_mib": 10**9}, "memory_mib"),
        ({"linked": True}, "linked"),
        ({"description": "\x00"}, "description"),
    ],
)
def test_each_wrong_value_is_told_beside_its_field(
    machine: Domain, cast: Cast, changes: dict[str, Any], field: str
) -> None:
    with pytest.raises(InvalidInput) as wrong:
        clone(new=copy_of(machine, **changes), actor=cast.operator)
    assert wrong.value.field == field


def test_the_same_click_twice_is_one_copy(machine: Domain, cast: Cast) -> None:
    first = clone(new=copy_of(machine), actor=cast.operator, idempotency_key="k")
    assert clone(new=copy_of(machine), actor=cast.operator, idempotency_key="k") == first
    assert Domain.objects.filter(name="web2").count() == 1


def test_a_cancelled_copy_leaves_nothing(machine: Domain, cast: Cast, lab_host: LabHost) -> None:
    operation = clone(new=copy_of(machine), actor=cast.operator)
    Operation.objects.filter(pk=operation.pk).update(cancel_requested=True)
    ended = carry_out(operation.pk)
    assert (ended.state, ended.left_behind) == (OperationState.CANCELLED, "")
    assert len(list(lab_host.pool_path.iterdir())) == 1
    assert program_of(cast.operator).get(f"/api/v1/domains/{operation.target_id}").json()["gone_at"]


def test_the_disk_of_a_copy_that_was_not_taken_back_stays(
    machine: Domain, cast: Cast, lab_host: LabHost
) -> None:
    operation = finished(clone(new=copy_of(machine), actor=cast.operator))
    copying = next(
        step for step in steps_of(operation.kind, operation.params) if isinstance(step, CloneVolume)
    )
    with pytest.raises(Conflict, match="is in use by web2"):
        copying.undo(Run(operation))
    volume = Volume.objects.get(uuid=copying.volume)
    assert (volume.ours, volume.gone_at) == (True, None)
    assert (lab_host.pool_path / volume.name).exists()
