"""The pages for clones, names and templates, and the same by REST."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from django.test import Client

from domains.models import Domain, DomainDisk, DomainNic, DomainState
from domains.templates import KEYS
from hosts.models import Host
from operations.models import Hold, Operation
from storage.models import Pool, Volume
from tests.conftest import Cast, browser_of, program_of
from tests.domains.test_move_page import make_host, make_volume


@pytest.fixture
def here(db: None) -> Host:
    return make_host("here")


@pytest.fixture
def machine(here: Host) -> Domain:
    domain = Domain.objects.create(host=here, name="web1", state=DomainState.OFF, vcpus=2, memory_mib=2048)
    make_volume(here, "/pool/vda.qcow2", label="web1 disk")
    DomainDisk.objects.create(
        domain=domain, target="vda", device="disk", path="/pool/vda.qcow2", format="qcow2"
    )
    DomainNic.objects.create(domain=domain, mac="52:54:00:00:00:01", kind="network", source="default")
    return domain


def form(**changes: Any) -> dict[str, Any]:
    return {"name": "web2", "vcpus": 2, "memory_mib": 2048, "key": str(uuid4())} | changes


def test_the_form_makes_one_copy_however_often_it_is_sent(operator: Client, machine: Domain) -> None:
    sent = form()
    first = operator.post(f"/machines/{machine.uuid}/clone/", sent)
    second = operator.post(f"/machines/{machine.uuid}/clone/", sent)
    assert (first.status_code, second.status_code) == (302, 302)
    made = Domain.objects.get(name="web2")
    assert first["Location"] == second["Location"] == f"/machines/{made.uuid}/"
    operation = Operation.objects.get(kind="domain.clone")
    copy = Volume.objects.get(label="web2 disk vda")
    held = Hold.objects.filter(operation=operation).values_list("target_id", flat=True)
    assert set(held) == {machine.uuid, copy.uuid}
    assert operation.params["macs"].keys() == {"52:54:00:00:00:01"}
    # The disk of the copy is promised, under a name of the panel's own.
    assert Volume.objects.get(label="web2 disk vda").name.endswith(".qcow2")


def test_what_is_wrong_stands_beside_its_field(operator: Client, machine: Domain) -> None:
    answer = operator.post(f"/machines/{machine.uuid}/clone/", form(name="web1", memory_mib=2**40))
    page = answer.content.decode()
    assert answer.status_code == 422
    assert "has a virtual machine of this name already" in page
    assert "Give 64 MiB to" in page
    assert not Operation.objects.exists()


def test_a_running_machine_says_why_it_cannot_be_copied(operator: Client, machine: Domain) -> None:
    Domain.objects.update(state=DomainState.RUNNING)
    page = operator.get(f"/machines/{machine.uuid}/clone/").content.decode()
    assert "is running" in page
    assert "shut it down first" in page
    assert operator.post(f"/machines/{machine.uuid}/clone/", form()).status_code == 409


def test_a_disk_outside_all_pools_is_told(operator: Client, machine: Domain) -> None:
    DomainDisk.objects.create(domain=machine, target="vdb", device="disk", path="/dev/sda", format="raw")
    page = operator.get(f"/machines/{machine.uuid}/clone/").content.decode()
    assert "Disk vdb lies in no storage pool" in page


def test_too_little_space_is_told_beside_the_pool(operator: Client, machine: Domain) -> None:
    Pool.objects.update(available_bytes=1)
    answer = operator.post(f"/machines/{machine.uuid}/clone/", form())
    assert answer.status_code == 422
    assert "pool default has 1 B free" in answer.content.decode()


def test_a_template_tells_what_nobody_cleared(operator: Client, machine: Domain) -> None:
    Domain.objects.update(template=True, cleared=sorted(KEYS - {"hostname"}))
    page = operator.get(f"/machines/{machine.uuid}/clone/").content.decode()
    assert "Nobody said that these are cleared in the template: Host name." in page
    assert 'name="linked"' in page


def test_the_header_offers_what_can_be_done(operator: Client, machine: Domain, cast: Cast) -> None:
    Domain.objects.update(team=cast.team)
    page = operator.get(f"/machines/{machine.uuid}/").content.decode()
    assert "Make a template" in page
    lead = browser_of(cast.lead).get(f"/machines/{machine.uuid}/").content.decode()
    assert "/rename/" in lead
    assert "/clone/" not in lead


def test_a_name_with_markup_is_refused_and_shown_as_typed(operator: Client, machine: Domain) -> None:
    answer = operator.post(f"/machines/{machine.uuid}/rename/", {"name": "<b>x</b>"})
    assert answer.status_code == 422
    assert "&lt;b&gt;x&lt;/b&gt;" in answer.content.decode()


def test_rest_makes_templates_of_known_traces_only(cast: Cast, machine: Domain) -> None:
    call = program_of(cast.operator)
    address = f"/api/v1/domains/{machine.uuid}/template"
    wrong = call.put(address, {"cleared": ["soul"]}, content_type="application/json")
    assert (wrong.status_code, wrong.json()["field"]) == (422, "cleared")
    asked = call.put(address, {"cleared": ["logs"]}, content_type="application/json")
    assert asked.status_code == 202
    assert Operation.objects.get(pk=asked.json()["operation"]).kind == "domain.template"
