"""Where a machine runs best, and why: on facts alone."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.units import GIB
from domains.placement import Candidate, Need, Ranking, Space, rank
from hosts.capacity import Share

SMALL = Need(name="web1", vcpus=1, memory_mib=1024, disk_bytes=5 * GIB)


def space(name: str = "default", *, free_gib: int = 50, capacity_gib: int = 100) -> Space:
    return Space(key=1, name=name, free_bytes=free_gib * GIB, capacity_bytes=capacity_gib * GIB)


def host(name: str = "kvm1", **different: Any) -> Candidate:
    """Half empty, with KVM, a pool and a network; `different` replaces any of it."""
    facts: dict[str, Any] = {
        "key": hash(name),
        "name": name,
        "kvm": True,
        "uefi": True,
        "cpus": 8,
        "cpu": Share(limit=32, used=16),
        "cpu_percent": 10.0,
        "memory": Share(limit=16384, used=8192),
        "pools": (space(),),
        "networks": frozenset({"default"}),
    }
    return Candidate(**facts | different)


def order(ranking: Ranking) -> list[str]:
    return [place.host.name for place in ranking.places]


class TestChoice:
    def test_falls_on_the_host_with_most_memory_free(self) -> None:
        full = host("full", memory=Share(limit=16384, used=14000))

        assert order(rank(SMALL, [full, host("free")])) == ["free", "full"]

    def test_falls_on_the_host_whose_cpus_are_idle(self) -> None:
        assert order(rank(SMALL, [host("busy", cpu_percent=95.0), host("idle")])) == ["idle", "busy"]

    def test_falls_on_the_host_with_space(self) -> None:
        tight = host("tight", pools=(space(free_gib=6),))

        assert order(rank(SMALL, [tight, host("roomy")])) == ["roomy", "tight"]

    def test_never_falls_on_emulation_where_there_is_kvm(self) -> None:
        empty = host("emulated", kvm=False, memory=Share(limit=65536, used=0), cpu_percent=0.0)

        assert order(rank(SMALL, [empty, host("kvm")])) == ["kvm", "emulated"]

    def test_is_by_name_between_equals(self) -> None:
        assert order(rank(SMALL, [host("b"), host("a")])) == ["a", "b"]

    def test_says_why(self) -> None:
        best = rank(SMALL, [host()]).best

        assert best is not None
        assert best.why == (
            "8 GiB of memory free, CPUs 10 % busy, 16 of 32 vCPUs promised, 50 GiB free in pool default"
        )

    def test_takes_the_usual_pool_where_it_has_room(self) -> None:
        both = host(pools=(space("huge", free_gib=90), space("default", free_gib=10)))
        full = host(pools=(space("huge", free_gib=90), space("default", free_gib=2)))

        assert [rank(SMALL, [one]).places[0].pool.name for one in (both, full)] == ["default", "huge"]  # type: ignore[union-attr]

    def test_needs_no_pool_where_the_disks_are_there(self) -> None:
        best = rank(replace(SMALL, disk_bytes=None), [host(pools=())]).best

        assert best is not None
        assert best.pool is None

    def test_of_nothing_is_nothing(self) -> None:
        assert rank(SMALL, []).best is None


class TestRefusal:
    @pytest.mark.parametrize(
        ("need", "different", "why"),
        [
            ({}, {"trouble": "can't be reached"}, "can't be reached"),
            ({}, {"trouble": "is in maintenance"}, "is in maintenance"),
            ({"memory_mib": 8193}, {}, "8,192 MiB of memory free, 8,193 MiB needed"),
            ({"vcpus": 9}, {}, "has 8 CPUs, 9 needed"),
            ({"vcpus": 4}, {"cpu": Share(limit=32, used=30)}, "30 of 32 vCPUs are promised"),
            ({"uefi": True}, {"uefi": False}, "has no UEFI firmware"),
            ({"iso": "debian.iso"}, {"has_iso": False}, "does not have debian.iso"),
            ({"network": "dmz"}, {}, "has no active network dmz"),
            ({"labels": frozenset({"ssd", "eu"})}, {"labels": frozenset({"eu"})}, "lacks the label ssd"),
            ({}, {"pools": ()}, "no pool has room for 5 GiB"),
            ({"thin": False}, {"pools": (space(free_gib=4),)}, "no pool has room for 5 GiB"),
            ({}, {"pools": (space(free_gib=4, capacity_gib=4),)}, "no pool has room for 5 GiB"),
            ({}, {"pools": (space(free_gib=0),)}, "no pool has room for 5 GiB"),
            ({}, {"has_name": True}, "has a virtual machine called web1 already"),
        ],
    )
    def test_says_why(self, need: dict[str, Any], different: dict[str, Any], why: str) -> None:
        ranking = rank(replace(SMALL, **need), [host(**different)])

        assert ranking.places == ()
        assert ranking.refusals[0].why == why

    def test_says_all_that_is_in_the_way(self) -> None:
        refusal = rank(replace(SMALL, vcpus=9, network="dmz"), [host()]).refusals[0]

        assert refusal.why == "has 8 CPUs, 9 needed; has no active network dmz"

    def test_of_a_host_in_trouble_says_nothing_of_what_is_old(self) -> None:
        down = host(trouble="can't be reached", networks=frozenset(), pools=())

        assert rank(SMALL, [down]).refusals[0].why == "can't be reached"

    def test_lets_a_disk_grow_that_the_pool_could_hold(self) -> None:
        assert rank(SMALL, [host(pools=(space(free_gib=2),))]).best is not None


class TestIso:
    need = replace(SMALL, iso="debian.iso")

    def test_that_only_one_host_has_decides_and_says_so(self) -> None:
        ranking = rank(self.need, [host("a", has_iso=False), host("b")])

        assert order(ranking) == ["b"]
        assert ranking.note == "debian.iso is only on b."

    def test_that_several_have_needs_no_word(self) -> None:
        assert rank(self.need, [host("a"), host("b")]).note == ""


class TestAnyHosts:
    shares = st.builds(Share, limit=st.integers(0, 10**6), used=st.integers(0, 10**7))
    hosts = st.lists(
        st.builds(
            host,
            name=st.sampled_from("abcde"),
            trouble=st.sampled_from(["", "is in maintenance"]),
            kvm=st.booleans(),
            cpus=st.integers(0, 256),
            cpu=shares,
            memory=shares,
            cpu_percent=st.none() | st.floats(0, 100),
            pools=st.lists(st.builds(space, free_gib=st.integers(0, 99)), max_size=3).map(tuple),
        ),
        max_size=6,
        unique_by=lambda one: one.name,
    )

    @settings(deadline=None)
    @given(hosts=hosts, memory_mib=st.integers(64, 10**6), vcpus=st.integers(1, 64))
    def test_each_is_a_place_or_a_refusal_and_no_place_promises_what_is_not_there(
        self, hosts: list[Candidate], memory_mib: int, vcpus: int
    ) -> None:
        ranking = rank(replace(SMALL, memory_mib=memory_mib, vcpus=vcpus), hosts)

        told = [place.host.name for place in ranking.places] + [r.host.name for r in ranking.refusals]
        assert sorted(told) == sorted(one.name for one in hosts)
        for place in ranking.places:
            assert not place.host.trouble
            assert place.host.memory.used + memory_mib <= place.host.memory.limit
            assert place.host.cpu.used + vcpus <= place.host.cpu.limit
            assert place.pool is not None
            assert 0 <= place.score <= 1
