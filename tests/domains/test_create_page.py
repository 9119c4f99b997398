"""The form for a new machine, and the page that deletes one: what people see of right and wrong."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from django.test import Client

from accounts.models import ApiToken
from domains.models import Domain, DomainDisk, DomainFile, DomainState
from hosts.models import Host, HostState
from networks.models import Network
from operations.models import Operation
from storage.models import Pool, Volume, VolumeKind
from tests.conftest import Cast, browser_of

GIB = 1024**3
pytestmark = pytest.mark.django_db


@pytest.fixture
def pool(host: Host) -> Pool:
    return Pool.objects.create(
        host=host,
        uuid=uuid.uuid4(),
        name="default",
        kind="dir",
        state="running",
        path="/pool",
        capacity_bytes=100 * GIB,
        available_bytes=50 * GIB,
    )


@pytest.fixture
def network(host: Host) -> Network:
    return Network.objects.create(host=host, uuid=uuid.uuid4(), name="default", active=True)


@pytest.fixture
def filled(host: Host, pool: Pool, network: Network) -> dict[str, Any]:
    """What a browser sends for a plain machine."""
    return {
        "name": "web1",
        "host": host.uuid,
        "pool": pool.uuid,
        "network": network.uuid,
        "vcpus": 1,
        "memory_mib": 1024,
        "disk_gib": 5,
        "disk_format": "qcow2",
        "firmware": "bios",
        "start": "on",
        "key": uuid.uuid4(),
    }


class TestForm:
    def test_offers_what_the_host_has(
        self, operator: Client, host: Host, pool: Pool, network: Network
    ) -> None:
        Volume.objects.create(pool=pool, name="d.iso", label="debian.iso", kind=VolumeKind.ISO)
        Volume.objects.create(pool=pool, name="h.iso", label="half.iso", kind=VolumeKind.ISO, ready=False)

        page = operator.get("/machines/new/").content.decode()

        assert "debian.iso" in page
        assert "half.iso" not in page
        assert "It will be emulated" in page

    def test_says_so_where_no_host_can_take_it(self, operator: Client, host: Host) -> None:
        Host.objects.update(state=HostState.DOWN)

        assert "No host can take a virtual machine now" in operator.get("/machines/new/").content.decode()

    def test_the_summary_follows_what_is_typed(self, operator: Client, filled: dict[str, Any]) -> None:
        page = operator.get(
            "/machines/new/form/", {**filled, "name": "<b>x", "disk_gib": 77}, headers={"HX-Request": "true"}
        ).content.decode()

        assert "77 GiB" in page
        assert "&lt;b&gt;x" in page
        assert "<b>x" not in page

    def test_creates_and_goes_to_the_machine(self, operator: Client, filled: dict[str, Any]) -> None:
        answer = operator.post("/machines/new/", filled)

        domain = Domain.objects.get()
        assert (answer.status_code, answer["Location"]) == (302, f"/machines/{domain.uuid}/")
        assert (domain.state, domain.name) == (DomainState.CREATING, "web1")

    def test_sent_twice_makes_one(self, operator: Client, filled: dict[str, Any]) -> None:
        first = operator.post("/machines/new/", filled)
        second = operator.post("/machines/new/", filled)

        assert first["Location"] == second["Location"]
        assert (Domain.objects.count(), Operation.objects.count()) == (1, 1)

    @pytest.mark.parametrize(
        ("field", "value", "words"),
        [
            ("name", "", "This field is required"),
            ("name", "x" * 301, "at most 300"),
            ("name", "x" * 300, "can&#x27;t be used"),
            ("name", "../x", "can&#x27;t be used"),
            ("name", "<b>", "can&#x27;t be used"),
            ("name", "a\nb", "can&#x27;t be used"),
            ("vcpus", "0", "greater than or equal to 1"),
            ("vcpus", "5", "has 4 CPUs"),
            ("memory_mib", "999999999", "of memory"),
            ("memory_mib", "1e9", "whole number"),
            ("disk_gib", "0", "greater than or equal to 1"),
            ("disk_gib", str(10 * 1024**3), "less than or equal to"),
            ("disk_gib", "101", "All of pool default"),
            ("host", "5f0e2d5e-0000-4000-8000-00000000000a", "valid choice"),
            ("iso", "5f0e2d5e-0000-4000-8000-00000000000b", "valid choice"),
            ("key", "", ""),
        ],
    )
    def test_says_what_is_wrong_beside_it_and_keeps_the_rest(
        self, operator: Client, filled: dict[str, Any], field: str, value: str, words: str
    ) -> None:
        answer = operator.post("/machines/new/", {**filled, "description": "keep me", field: value})

        page = answer.content.decode()
        assert answer.status_code == 422
        assert words in page
        assert "keep me" in page
        assert not Domain.objects.exists()

    def test_a_name_that_is_taken(self, operator: Client, host: Host, filled: dict[str, Any]) -> None:
        Domain.objects.create(host=host, name="web1", state=DomainState.OFF)

        answer = operator.post("/machines/new/", filled)

        assert answer.status_code == 422
        assert "has a virtual machine of this name already" in answer.content.decode()

    @pytest.mark.parametrize("who", ["auditor", "lead", "member", "stranger"])
    def test_is_not_for(self, cast: Cast, filled: dict[str, Any], who: str) -> None:
        browser = browser_of(cast.people()[who])

        assert browser.get("/machines/new/").status_code == 403
        assert browser.post("/machines/new/", filled).status_code == 403
        assert not Domain.objects.exists()


class TestDelete:
    @pytest.fixture
    def domain(self, cast: Cast, host: Host, pool: Pool) -> Domain:
        domain = Domain.objects.create(host=host, name="web1", team=cast.team, state=DomainState.RUNNING)
        for target, path, device in [("vda", "/pool/a", "disk"), ("sda", "/pool/i", "cdrom")]:
            DomainDisk.objects.create(domain=domain, target=target, path=path, device=device)
            DomainFile.objects.create(domain=domain, path=path)
        Volume.objects.create(
            pool=pool, name="a", path="/pool/a", ours=True, kind=VolumeKind.DISK, label="disk a"
        )
        Volume.objects.create(
            pool=pool, name="i", path="/pool/i", ours=True, kind=VolumeKind.ISO, label="iso i"
        )
        return domain

    def test_names_the_disks_and_not_the_image(self, operator: Client, domain: Domain) -> None:
        page = operator.get(f"/machines/{domain.uuid}/delete/").content.decode()

        assert "disk a" in page
        assert "iso i" not in page

    def test_wants_the_name_typed(self, operator: Client, domain: Domain) -> None:
        answer = operator.post(f"/machines/{domain.uuid}/delete/", {"name": "web", "how": "at-once"})

        assert answer.status_code == 422
        assert not Operation.objects.exists()

    def test_goes_to_the_operation(self, operator: Client, domain: Domain) -> None:
        disk = Volume.objects.get(name="a")

        operator.post(f"/machines/{domain.uuid}/delete/", {"name": "web1", "volumes": [str(disk.uuid)]})

        assert Operation.objects.get().params["volumes"] == [str(disk.uuid)]

    def test_keeps_a_disk_that_another_machine_has(
        self, operator: Client, host: Host, domain: Domain
    ) -> None:
        other = Domain.objects.create(host=host, name="web2", state=DomainState.OFF)
        DomainFile.objects.create(domain=other, path="/pool/a")
        disk = Volume.objects.get(name="a")

        page = operator.get(f"/machines/{domain.uuid}/delete/").content.decode()
        answer = operator.post(
            f"/machines/{domain.uuid}/delete/", {"name": "web1", "volumes": [str(disk.uuid)]}
        )

        assert "web2 uses it, too" in page
        assert answer.status_code == 422
        assert not Operation.objects.exists()

    @pytest.mark.parametrize(
        ("who", "status"), [("auditor", 404), ("member", 404), ("stranger", 404), ("lead", 200)]
    )
    def test_exists_only_for_who_may(self, cast: Cast, domain: Domain, who: str, status: int) -> None:
        assert browser_of(cast.people()[who]).get(f"/machines/{domain.uuid}/delete/").status_code == status


class TestRest:
    def body(self, filled: dict[str, Any]) -> dict[str, Any]:
        plain = {
            name: str(value) if isinstance(value, uuid.UUID) else value for name, value in filled.items()
        }
        return {**{name: plain[name] for name in plain if name != "key"}, "start": True}

    def call(
        self, cast: Cast, path: str, body: dict[str, Any], *, who: str = "operator", **headers: str
    ) -> Any:
        token = ApiToken.fresh()
        ApiToken.objects.create(user=cast.people()[who], name="t", digest=ApiToken.hash(token))
        return Client(headers={"x-forwarded-proto": "https"}).post(
            path,
            body,
            content_type="application/json",
            headers={"Authorization": f"Bearer {token}", **headers},
        )

    def test_creates_once_for_one_key(self, cast: Cast, filled: dict[str, Any]) -> None:
        answers = [
            self.call(cast, "/api/v1/domains", self.body(filled), **{"Idempotency-Key": "k1"})
            for _ in range(2)
        ]

        assert [answer.status_code for answer in answers] == [202, 202]
        assert answers[0].json()["operation"] == answers[1].json()["operation"]
        assert Domain.objects.count() == 1

    def test_says_the_field(self, cast: Cast, filled: dict[str, Any]) -> None:
        answer = self.call(cast, "/api/v1/domains", {**self.body(filled), "name": "../x"})

        assert (answer.status_code, answer.json()["field"]) == (422, "name")
        assert answer["Content-Type"].startswith("application/problem+json")

    def test_power(self, cast: Cast, host: Host) -> None:
        domain = Domain.objects.create(host=host, name="web1", team=cast.team, state=DomainState.OFF)
        path = f"/api/v1/domains/{domain.uuid}/power/start"

        assert self.call(cast, path, {}, who="stranger").status_code == 404
        assert self.call(cast, path, {}, who="auditor").status_code == 404
        assert self.call(cast, path, {}, who="member").status_code == 202
        assert self.call(cast, path, {}, who="lead").status_code == 409

    def test_without_a_name_is_nobody(self, filled: dict[str, Any]) -> None:
        answer = Client(headers={"x-forwarded-proto": "https"}).post(
            "/api/v1/domains", self.body(filled), content_type="application/json"
        )
        assert answer.status_code == 401
