"""Counters of a real host, and what we make of records that are not whole."""

from __future__ import annotations

from uuid import UUID

from hypervisor.driver import Hypervisor
from hypervisor.driver_stats import domain_stats
from tests.eventually import eventually

CPU = {"cpu.time": 7}


class TestRecord:
    def test_without_a_balloon_driver_is_told_by_the_host_alone(self) -> None:
        silent = {
            **CPU,
            "balloon.rss": 5,
            "balloon.last-update": 0,
            "balloon.usable": 1,
            "balloon.available": 4,
        }

        assert domain_stats("x", silent).memory_guest_kib is None
        assert domain_stats("x", {**silent, "balloon.last-update": 9}).memory_guest_kib == 3

    def test_leaves_devices_out_that_it_has_no_counters_of(self) -> None:
        record = {
            **CPU,
            "block.count": 2,
            "block.0.name": "sda",
            "block.1.name": "vda",
            "block.1.rd.bytes": 8,
        }

        assert [(one.target, one.read_bytes) for one in domain_stats("x", record).blocks] == [("vda", 8)]

    def test_that_claims_a_million_devices_is_read_in_part(self) -> None:
        record = {**CPU, "net.count": 10**9, **{f"net.{i}.rx.bytes": 1 for i in range(100)}}

        assert len(domain_stats("x", record).nets) == 64


class TestHost:
    def test_tells_what_its_domains_have_used(self, host: Hypervisor, running: UUID) -> None:
        def used() -> int:
            (one,) = host.read_stats().domains
            assert one.uuid == str(running)
            assert (one.memory_kib, one.memory_rss_kib > 0) == (32 * 1024, True)
            return one.cpu_time_ns

        first = used()
        eventually(lambda: used() > first, within_s=20)

    def test_tells_nothing_of_domains_that_are_off(self, host: Hypervisor, running: UUID) -> None:
        host.destroy_domain(running)

        assert host.read_stats().domains == ()

    def test_tells_of_its_own_cpus(self, host: Hypervisor) -> None:
        before, now = host.read_stats(), host.read_stats()

        assert 0 < before.cpu_busy_ns < before.cpu_total_ns <= now.cpu_total_ns
        assert before.taken_s < now.taken_s
