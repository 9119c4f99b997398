"""What hosts have and what is free of it: added up truly, and shown."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from django.test import Client

from dashboard.capacity import Capacity, find
from hosts.models import Host, HostState
from storage.models import Pool
from tests.conftest import Cast, program_of

GIB = 1024**3


def machine_room(name: str, **columns: Any) -> Host:
    """8 CPUs of which four vCPUs each may be promised, 16 GiB, half of it promised."""
    values: dict[str, Any] = {
        "state": HostState.UP,
        "cpus": 8,
        "memory_mib": 16384,
        "memory_free_mib": 10240,
        "memory_running_mib": 8192,
        "vcpus_running": 10,
        "domains_running": 3,
    }
    return Host.objects.create(name=name, **values | columns)


def pool(host: Host, name: str, *, free_gib: int = 60, state: str = "running") -> None:
    sizes = {"capacity_bytes": 100 * GIB, "available_bytes": free_gib * GIB}
    Pool.objects.create(host=host, uuid=uuid4(), name=name, kind="dir", state=state, **sizes)


@pytest.fixture
def seen(cast: Cast) -> Capacity:
    """Two hosts that are up, one of them with overcommit, and one that is not."""
    pool(machine_room("a", cpu_percent=10.0), "default")
    pool(machine_room("b", cpus=24, cpu_percent=50.0, memory_overcommit=2.0), "default", free_gib=20)
    pool(machine_room("dead", state=HostState.DOWN, cpus=999), "default")
    return find(cast.operator)


class TestSums:
    def test_are_about_hosts_that_are_up(self, seen: Capacity) -> None:
        assert ([row.host.name for row in seen.rows], seen.cpus) == (["a", "b"], 32)
        assert [row.host.name for row in seen.apart] == ["dead"]

    def test_take_overcommit_into_account(self, seen: Capacity) -> None:
        assert (seen.cpu.limit, seen.cpu.used, seen.cpu.free) == (128, 20, 108)
        assert (seen.memory.limit, seen.memory.used) == (16384 + 32768, 16384)

    def test_weigh_load_by_cpus(self, seen: Capacity) -> None:
        assert seen.cpu_percent == 40

    def test_add_pools_up(self, seen: Capacity) -> None:
        assert (seen.space.limit, seen.space.free) == (200 * GIB, 80 * GIB)

    def test_of_nothing_are_nothing(self, cast: Cast) -> None:
        empty = find(cast.operator)

        assert (empty.cpu.limit, empty.space.free, empty.cpu_percent) == (0, 0, None)


class TestHost:
    def test_holds_memory_of_its_own_that_cannot_be_promised(self, cast: Cast) -> None:
        machine_room("a", memory_free_mib=1024)

        assert find(cast.operator).rows[0].memory.free == 1024

    def test_with_overcommit_promises_it_all_the_same(self, cast: Cast) -> None:
        machine_room("a", memory_free_mib=1024, memory_overcommit=1.5)

        assert find(cast.operator).rows[0].memory.free == 16384

    def test_counts_a_file_system_once_that_two_pools_are_on(self, cast: Cast) -> None:
        host = machine_room("a")
        pool(host, "default")
        pool(host, "images")

        assert find(cast.operator).rows[0].space.limit == 100 * GIB

    def test_counts_no_pool_that_is_off(self, cast: Cast) -> None:
        pool(machine_room("a"), "default", state="inactive")

        assert find(cast.operator).rows[0].space.limit == 0


class TestPage:
    @pytest.mark.usefixtures("seen")
    def test_shows_each_host_and_apart_those_that_are_away(self, operator: Client) -> None:
        page = operator.get("/capacity/").content.decode()

        assert "108 of 128 to be had" in page
        assert page.index("1 host that can't be reached") < page.index(">dead<")

    def test_says_that_there_is_nothing(self, operator: Client) -> None:
        assert "No hosts yet" in operator.get("/capacity/").content.decode()

    @pytest.mark.usefixtures("seen")
    def test_over_rest_says_the_same(self, cast: Cast) -> None:
        answer = program_of(cast.operator).get("/api/v1/capacity").json()

        assert answer["cpu"] == {"limit": 128, "used": 20, "free": 108}
        assert [(row["name"], row["cpu_percent"]) for row in answer["rows"]] == [("a", 10.0), ("b", 50.0)]
        assert answer["apart"][0]["state"] == "down"
