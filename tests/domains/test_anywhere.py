"""A new machine that may run on any host: the choice, its reasons, and nobody promised the same memory twice."""

from __future__ import annotations

import threading
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client

from core.errors import InvalidInput
from domains.actions.create import create
from domains.models import Domain, DomainState
from domains.wishes import Anywhere
from hosts.models import Host, HostState
from networks.models import Network
from operations.models import Operation
from storage.models import Pool, Volume, VolumeKind
from tests.conftest import Cast, program_of
from tests.operations.test_lease import at_once

GIB = 1024**3


def machine_room(name: str, **columns: Any) -> Host:
    """A host that is up, with KVM, 16 GiB, a pool and a network."""
    values = {"cpus": 8, "memory_mib": 16384, "memory_free_mib": 16384, "kvm": True, "uefi": True}
    host = Host.objects.create(name=name, **{"state": HostState.UP, **values, **columns})
    sizes = {"capacity_bytes": 100 * GIB, "available_bytes": 80 * GIB}
    Pool.objects.create(host=host, uuid=uuid4(), name="default", kind="dir", state="running", **sizes)
    Network.objects.create(host=host, uuid=uuid4(), name="default", active=True)
    return host


def small(**different: Any) -> Anywhere:
    wish: dict[str, Any] = {"name": "web1", "vcpus": 1, "memory_mib": 1024, "disk_gib": 5}
    return Anywhere(**wish | different)


def image(host: Host, *, sha256: str = "") -> Volume:
    pool = Pool.objects.get(host=host)
    return Volume.objects.create(
        pool=pool, name=f"{uuid4()}.iso", label="debian.iso", kind=VolumeKind.ISO, sha256=sha256
    )


@pytest.fixture
def two(db: None) -> tuple[Host, Host]:
    """One that is nearly full, and one that is empty."""
    return machine_room("full", memory_running_mib=14000), machine_room("empty")


class TestPlace:
    def test_is_the_best_host_with_its_pool_and_network(self, cast: Cast, two: tuple[Host, Host]) -> None:
        operation = create(new=small(network="default"), actor=cast.operator)

        domain = Domain.objects.get()
        assert domain.host == two[1]
        assert Volume.objects.get().pool.host == two[1]
        assert operation.params["host"] == str(two[1].uuid)

    def test_is_told_in_the_log(self, cast: Cast, two: tuple[Host, Host]) -> None:
        machine_room("asleep", maintenance=True)

        said = create(new=small(), actor=cast.operator).log.get().text

        assert said.startswith("Placed on empty: 16 GiB of memory free")
        assert "full would do: " in said
        assert "Not asleep: is in maintenance." in said

    @pytest.mark.parametrize(
        "columns",
        [{"state": HostState.DOWN}, {"state": HostState.BLOCKED}, {"maintenance": True}, {"kvm": False}],
        ids=str,
    )
    def test_is_another_where(self, cast: Cast, two: tuple[Host, Host], columns: dict[str, Any]) -> None:
        Host.objects.filter(name="empty").update(**columns)

        create(new=small(), actor=cast.operator)

        assert Domain.objects.get().host.name == "full"

    def test_has_the_labels(self, cast: Cast, two: tuple[Host, Host]) -> None:
        Host.objects.filter(name="full").update(labels=["ssd"])

        create(new=small(labels=frozenset({"ssd"})), actor=cast.operator)

        assert Domain.objects.get().host.name == "full"

    def test_has_the_image(self, cast: Cast, two: tuple[Host, Host]) -> None:
        operation = create(new=small(iso=image(two[0])), actor=cast.operator)

        assert Domain.objects.get().host.name == "full"
        assert "debian.iso is only on full." in operation.log.get().text

    def test_takes_the_copy_of_the_image_that_is_there(self, cast: Cast, two: tuple[Host, Host]) -> None:
        here, there = (image(host, sha256="a" * 64) for host in two)

        operation = create(new=small(iso=here), actor=cast.operator)

        assert operation.params["iso"] == str(there.uuid)

    def test_is_nowhere_where_nothing_fits(self, cast: Cast, two: tuple[Host, Host]) -> None:
        with pytest.raises(InvalidInput, match="No host can take it") as refused:
            create(new=small(memory_mib=99999), actor=cast.operator)

        assert refused.value.field == "host"
        assert "full: " in refused.value.fix
        assert not Operation.objects.exists()

    def test_counts_machines_that_are_being_made(self, cast: Cast, two: tuple[Host, Host]) -> None:
        Domain.objects.create(host=two[1], name="big", state=DomainState.CREATING, memory_mib=16000, vcpus=1)

        create(new=small(), actor=cast.operator)

        assert Domain.objects.get(name="web1").host.name == "full"

    def test_may_promise_more_than_there_is_where_the_host_says_so(self, cast: Cast, db: None) -> None:
        machine_room("kvm1", memory_running_mib=16384, memory_free_mib=100, memory_overcommit=1.5)

        assert create(new=small(memory_mib=8192), actor=cast.operator).params["memory_mib"] == 8192


@pytest.mark.usefixtures("transactional_db")
def test_many_at_once_get_no_more_than_there_is(cast: Cast) -> None:
    machine_room("kvm1", memory_mib=4096, memory_free_mib=4096)
    numbers, lock = iter(range(1000)), threading.Lock()

    def ask() -> Operation:
        with lock:
            name = f"web{next(numbers)}"
        return create(new=small(name=name, memory_mib=1024), actor=cast.operator)

    outcomes = at_once(ask)

    made = [outcome for outcome in outcomes if isinstance(outcome, Operation)]
    assert len(made) == min(4, len(outcomes))
    assert all(isinstance(outcome, InvalidInput) for outcome in outcomes if outcome not in made)


class TestPage:
    def test_offers_anywhere_first(self, operator: Client, two: tuple[Host, Host]) -> None:
        page = operator.get("/machines/new/").content.decode()

        assert ">Anywhere</option>" in page
        assert "<strong>empty</strong> fits best: 16 GiB of memory free" in page
        assert "<strong>full</strong> would do" in page
        assert 'name="pool"' not in page

    def test_says_live_that_nothing_fits_and_why(self, operator: Client, two: tuple[Host, Host]) -> None:
        page = operator.get("/machines/new/form/", {**FORM, "name": "", "memory_mib": 99999})

        assert "No host can take it now" in page.content.decode()
        assert "97.7 GiB needed" in page.content.decode()

    def test_survives_what_cannot_be_placed(self, operator: Client, two: tuple[Host, Host]) -> None:
        page = operator.get("/machines/new/form/", {**FORM, "name": "\0", "memory_mib": "x", "iso": "y"})

        assert page.status_code == 200

    def test_creates(self, operator: Client, two: tuple[Host, Host]) -> None:
        answer = operator.post("/machines/new/", {**FORM, "name": "web1", "key": uuid4()})

        assert answer.status_code == 302
        assert Domain.objects.get().host.name == "empty"

    def test_says_beside_the_host_that_nothing_fits(self, operator: Client, two: tuple[Host, Host]) -> None:
        sent = {**FORM, "name": "web1", "key": uuid4(), "memory_mib": 99999}
        answer = operator.post("/machines/new/", sent)

        assert answer.status_code == 422
        assert "No host can take it now. empty: " in answer.content.decode()

    def test_keeps_the_network_and_the_image_when_a_host_is_chosen(
        self, operator: Client, two: tuple[Host, Host]
    ) -> None:
        here, there = (image(host, sha256="a" * 64) for host in two)
        networks = [Network.objects.get(host=host) for host in two]
        sent = {**FORM, "name": "", "network": networks[0].uuid, "iso": here.uuid, "host": two[1].uuid}

        page = operator.get("/machines/new/form/", sent).content.decode()

        assert f'value="{networks[1].uuid}" selected' in page
        assert f'value="{there.uuid}" selected' in page

    def test_says_which_host_alone_has_an_image(self, operator: Client, two: tuple[Host, Host]) -> None:
        image(two[0])

        assert "debian.iso (only on full)" in operator.get("/machines/new/").content.decode()


class TestRest:
    body: dict[str, Any] = {"name": "web1", "memory_mib": 1024}

    def call(self, cast: Cast, **body: Any) -> Any:
        sent = {**self.body, **body}
        return program_of(cast.operator).post("/api/v1/domains", sent, content_type="application/json")

    def test_needs_no_host(self, cast: Cast, two: tuple[Host, Host]) -> None:
        answer = self.call(cast, network=str(Network.objects.get(host=two[0]).uuid))

        assert answer.status_code == 202
        assert Domain.objects.get().host.name == "empty"

    def test_takes_the_best_pool_of_a_host(self, cast: Cast, two: tuple[Host, Host]) -> None:
        assert self.call(cast, host=str(two[0].uuid)).status_code == 202
        assert Volume.objects.get().pool.host == two[0]

    def test_takes_the_host_of_a_pool(self, cast: Cast, two: tuple[Host, Host]) -> None:
        assert self.call(cast, pool=str(Pool.objects.get(host=two[0]).uuid)).status_code == 202
        assert Domain.objects.get().host == two[0]

    def test_says_why_not(self, cast: Cast, two: tuple[Host, Host]) -> None:
        answer = self.call(cast, labels=["gpu"])

        assert (answer.status_code, answer.json()["field"]) == (422, "host")
        assert "lacks the label gpu" in answer.json()["fix"]


FORM: dict[str, Any] = {
    "host": "",
    "network": "",
    "iso": "",
    "vcpus": 1,
    "memory_mib": 1024,
    "disk_gib": 5,
    "disk_format": "qcow2",
    "firmware": "bios",
}
