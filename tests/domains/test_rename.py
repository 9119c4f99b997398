"""Another name: on a real host, while it is off, with its firmware's memory."""

from __future__ import annotations

from typing import Any

import pytest
from lxml import etree

from core.errors import Conflict, InvalidInput
from domains.actions.create import create
from domains.actions.rename import rename
from domains.models import Domain, DomainState
from operations.models import OperationState
from tests.conftest import Cast
from tests.domains.test_clone import finished, tidy
from tests.lab.host import LabHost
from tests.stage import carry_out

__all__ = ["tidy"]


@pytest.fixture
def machine(ask: Any, cast: Cast) -> Domain:
    finished(create(new=ask(start=False, disk_gib=1, firmware="uefi"), actor=cast.operator))
    return Domain.objects.get(name="web1")


def test_a_renamed_machine_keeps_what_its_firmware_knows(
    machine: Domain, cast: Cast, lab_host: LabHost
) -> None:
    lab_host.virsh("start", "web1")
    [variables] = etree.fromstring(lab_host.virsh("dumpxml", "web1").encode()).findall("os/nvram")
    lab_host.virsh("destroy", "web1")
    finished(rename(domain=machine, name="db1", actor=cast.operator))
    assert Domain.objects.get(pk=machine.pk).name == "db1"
    lab_host.virsh("start", "db1")
    [after] = etree.fromstring(lab_host.virsh("dumpxml", "db1").encode()).findall("os/nvram")
    assert after.text == variables.text


def test_a_name_that_virsh_took_meanwhile_is_left_alone(
    machine: Domain, cast: Cast, lab_host: LabHost
) -> None:
    operation = rename(domain=machine, name="db1", actor=cast.operator)
    other = lab_host.root / "other.xml"
    other.write_text(
        "<domain type='qemu'><name>db1</name><memory>65536</memory><os><type>hvm</type></os></domain>"
    )
    lab_host.virsh("define", str(other))
    ended = carry_out(operation.pk)
    assert (ended.state, ended.left_behind) == (OperationState.FAILED, "")
    assert "called db1 already" in ended.error
    assert sorted(lab_host.virsh("list", "--all", "--name").split()) == ["db1", "web1"]


@pytest.mark.parametrize("name", ["", "web1", "a b", "<script>", "x" * 64, "../x", "ä"])
def test_names_that_cannot_be(machine: Domain, cast: Cast, name: str) -> None:
    with pytest.raises(InvalidInput) as wrong:
        rename(domain=machine, name=name, actor=cast.operator)
    assert wrong.value.field == "name"


def test_a_running_machine_is_refused_with_the_reason(machine: Domain, cast: Cast) -> None:
    machine.state = DomainState.RUNNING
    with pytest.raises(Conflict, match="is running"):
        rename(domain=machine, name="db1", actor=cast.operator)
