"""The trash as people see it, by page and by REST."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest
from django.urls import reverse

from domains.models import Domain
from operations.models import Operation, OperationState
from tests.conftest import Cast, browser_of, program_of
from tests.domains.test_trash import (
    disk_of,
    with_a_card,
)
from tests.faults.cases.base import Ground
from tests.lab.host import LabHost
from tests.stage import adopt, carry_out


@pytest.fixture
def ground(transactional_db: None, cast: Cast, lab_host: LabHost) -> Iterator[Ground]:
    yield Ground(lab_host, adopt(lab_host), cast.operator)
    lab_host.clear()


class TestPages:
    def test_lead_through_the_trash_and_back(self, ground: Ground, cast: Cast) -> None:
        domain = ground.machine(change=with_a_card)
        Domain.objects.filter(pk=domain.pk).update(team=cast.team)
        browser, volume = browser_of(cast.lead), disk_of(domain)
        page = browser.get(reverse("domains:delete", args=[domain.uuid])).content.decode()
        assert "restored for 7 days" in page
        sent = {"how": "trash", "volumes": str(volume.uuid)}
        browser.post(reverse("domains:delete", args=[domain.uuid]), sent)
        carry_out(Operation.objects.get(kind="domain.trash").pk)

        assert domain.name in browser.get(reverse("domains:trash")).content.decode()
        assert domain.name in browser.get(reverse("domains:trash"), {"q": domain.name[:8]}).content.decode()
        assert domain.name not in browser.get(reverse("domains:trash"), {"q": "other"}).content.decode()
        gone = browser.get(reverse("domains:detail", args=[domain.uuid]))
        assert (gone.status_code, "in the trash" in gone.content.decode()) == (410, True)
        address = reverse("domains:restore", args=[domain.uuid])
        assert "checked" in browser.get(address).content.decode()

        ground.machine(disk=False, change=lambda root: setattr(root.find("name"), "text", domain.name))
        taken = browser.post(address, {"name": ""})
        assert (taken.status_code, "by now" in taken.content.decode()) == (422, True)
        assert browser.post(address, {"name": "web9"}).status_code == 302
        carry_out(Operation.objects.get(kind="domain.restore").pk)
        assert Domain.objects.present().get(pk=domain.pk).name == "web9"

    def test_at_once_wants_its_name(self, ground: Ground) -> None:
        domain = ground.machine(disk=False)
        browser, address = browser_of(ground.actor), reverse("domains:delete", args=[domain.uuid])
        assert browser.post(address, {"how": "at-once", "name": "other"}).status_code == 422
        assert browser.post(address, {"how": "at-once", "name": domain.name}).status_code == 302
        assert Operation.objects.get().kind == "domain.delete"

    def test_protection_stands_in_the_way_and_is_lifted(self, ground: Ground) -> None:
        domain = ground.machine(disk=False)
        browser = browser_of(ground.actor)
        browser.post(reverse("domains:protect", args=[domain.uuid]))
        page = browser.get(reverse("domains:delete", args=[domain.uuid])).content.decode()
        assert "is protected from deletion" in page
        assert browser.post(reverse("domains:delete", args=[domain.uuid])).status_code == 409
        browser.post(reverse("domains:unprotect", args=[domain.uuid]))
        assert not Domain.objects.get(pk=domain.pk).protected


class TestRest:
    def test_deletes_lists_restores_and_purges(self, ground: Ground) -> None:
        domain = ground.machine()
        program, base = program_of(ground.actor), "/api/v1/domains"
        kind = "application/json"
        body = {"volumes": [str(disk_of(domain).uuid)]}

        def post(what: str, body: dict[str, Any]) -> Operation:
            answer = program.post(f"{base}/{domain.uuid}/{what}", json.dumps(body), content_type=kind)
            assert answer.status_code == 202, answer.content
            return carry_out(UUID(answer.json()["operation"]))

        assert post("delete", body).kind == "domain.trash"
        (listed,) = program.get(f"{base}/trash").json()["items"]
        assert (listed["uuid"], listed["back"], len(listed["disks"])) == (str(domain.uuid), False, 1)
        assert post("restore", {}).state == OperationState.SUCCEEDED
        assert program.get(f"{base}/trash").json()["items"] == []
        assert post("delete", body).state == OperationState.SUCCEEDED
        refused = program.post(f"{base}/{domain.uuid}/drop")
        assert refused.status_code == 409
        assert post("purge", body).state == OperationState.SUCCEEDED
        assert program.get(f"{base}/trash").json()["items"] == []

    def test_protects(self, ground: Ground) -> None:
        domain = ground.machine(disk=False)
        program, base = program_of(ground.actor), f"/api/v1/domains/{domain.uuid}"
        kind = "application/json"
        assert program.put(f"{base}/protection", '{"on": true}', content_type=kind).status_code == 204
        at_once = program.post(f"{base}/delete", '{"at_once": true}', content_type=kind)
        assert (at_once.status_code, "protected" in at_once.json()["title"]) == (409, True)
        assert program.put(f"{base}/protection", '{"on": false}', content_type=kind).status_code == 204
        at_once = program.post(f"{base}/delete", '{"at_once": true}', content_type=kind)
        assert Operation.objects.get(pk=at_once.json()["operation"]).kind == "domain.delete"
