"""What a machine used in between two samples, whatever its host claims."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from hypervisor.stats import BlockStats, DomainStats, HostStats, NetStats
from monitoring.models import Usage
from monitoring.rates import Rates, domain_rates, host_cpu_percent
from tests.monitoring.samples import GIB_KIB, SECOND_NS, block, host_stats, net, stats


def between(before: DomainStats, now: DomainStats, **different: Any) -> Rates:
    given: dict[str, Any] = {"elapsed_s": 5.0, "vcpus": 2, "host_cpus": 8}
    found = domain_rates(before, now, **given | different)
    assert found is not None
    return found


class TestProcessor:
    def test_is_told_of_its_own_vcpus_and_of_the_host(self) -> None:
        rates = between(stats(), stats(cpu_time_ns=5 * SECOND_NS))

        assert (rates.cpu_percent, rates.host_cpu_percent) == (50, 12.5)
        assert rates.cpu_time_s == 5

    def test_is_all_where_qemu_itself_took_more_than_the_vcpus(self) -> None:
        assert between(stats(), stats(cpu_time_ns=30 * SECOND_NS)).cpu_percent == 100

    def test_of_a_machine_that_started_anew_is_not_known(self) -> None:
        assert domain_rates(stats(cpu_time_ns=9), stats(), elapsed_s=5, vcpus=1, host_cpus=1) is None

    def test_is_not_guessed_from_samples_that_are_too_close(self) -> None:
        assert domain_rates(stats(), stats(), elapsed_s=0.1, vcpus=1, host_cpus=1) is None


class TestMemory:
    def test_is_what_the_guest_says(self) -> None:
        rates = between(stats(), stats(memory_guest_kib=GIB_KIB // 4))

        assert (rates.memory_mib, rates.memory_percent) == (256, 25)

    def test_is_what_it_takes_on_its_host_where_the_guest_says_nothing(self) -> None:
        assert between(stats(), stats(memory_rss_kib=GIB_KIB // 2)).memory_percent == 50

    def test_is_never_more_than_there_is(self) -> None:
        assert between(stats(), stats(memory_rss_kib=3 * GIB_KIB)).memory_mib == 1024


class TestDevices:
    def test_are_added_up(self) -> None:
        before = stats(blocks=(block("vda"), block("vdb")), nets=(net("vnet0"),))
        now = stats(
            blocks=(block("vda", read_bytes=5000, read_requests=10), block("vdb", write_bytes=2500)),
            nets=(net("vnet0", rx_bytes=500, tx_bytes=50),),
        )

        rates = between(before, now)

        assert (rates.read_bytes, rates.read_requests, rates.write_bytes) == (1000, 2, 500)
        assert (rates.rx_bytes, rates.tx_bytes) == (100, 10)

    def test_that_came_meanwhile_count_from_the_next_sample_on(self) -> None:
        assert between(stats(), stats(blocks=(block("vda", read_bytes=10**9),))).read_bytes == 0

    def test_that_went_take_nothing_with_them(self) -> None:
        before = stats(blocks=(block("vda", read_bytes=5000), block("vdb", read_bytes=10**9)))

        assert between(before, stats(blocks=(block("vda", read_bytes=10_000),))).read_bytes == 1000

    def test_whose_counters_went_back_do_not_count(self) -> None:
        before = stats(nets=(net("vnet0", rx_bytes=10**9), net("vnet1")))

        assert between(before, stats(nets=(net("vnet0"), net("vnet1", rx_bytes=500)))).rx_bytes == 100


class TestHost:
    def test_is_busy_by_what_is_not_idle(self) -> None:
        now = host_stats(cpu_busy_ns=3 * SECOND_NS, cpu_total_ns=4 * SECOND_NS)

        assert host_cpu_percent(host_stats(), now) == 75

    def test_that_says_nothing_or_was_restarted_is_not_known(self) -> None:
        busy = host_stats(cpu_busy_ns=3, cpu_total_ns=4)

        assert host_cpu_percent(host_stats(), host_stats()) is None
        assert host_cpu_percent(busy, host_stats()) is None


class TestAnyClaim:
    numbers = st.integers(min_value=-(2**70), max_value=2**70)
    devices = st.sampled_from(["vda", "vdb", ""])
    claims = st.builds(
        DomainStats,
        uuid=st.just("x"),
        cpu_time_ns=numbers,
        memory_kib=numbers,
        memory_rss_kib=numbers,
        memory_guest_kib=st.none() | numbers,
        blocks=st.lists(
            st.builds(
                BlockStats,
                target=devices,
                read_bytes=numbers,
                read_requests=numbers,
                write_bytes=numbers,
                write_requests=numbers,
            ),
            max_size=3,
        ).map(tuple),
        nets=st.lists(
            st.builds(NetStats, device=devices, rx_bytes=numbers, tx_bytes=numbers), max_size=3
        ).map(tuple),
    )

    @settings(deadline=None)
    @given(before=claims, now=claims, elapsed_s=st.floats(0, 1e6), vcpus=st.integers(1, 2**31))
    def test_gives_numbers_that_a_row_holds(
        self, before: DomainStats, now: DomainStats, elapsed_s: float, vcpus: int
    ) -> None:
        rates = domain_rates(before, now, elapsed_s=elapsed_s, vcpus=vcpus, host_cpus=vcpus)

        if rates is None:
            return
        for share in (rates.cpu_percent, rates.host_cpu_percent, rates.memory_percent):
            assert 0 <= share <= 100
        for name in ("read_bytes", "write_requests", "rx_bytes", "memory_mib", "cpu_time_s"):
            assert 0 <= getattr(rates, name) < 2**63
        assert rates.memory_mib < 2**31

    @settings(deadline=None)
    @given(busy=numbers, total=numbers)
    def test_of_a_host_is_a_share_or_nothing(self, busy: int, total: int) -> None:
        now: HostStats = replace(host_stats(), cpu_busy_ns=busy, cpu_total_ns=total)

        found = host_cpu_percent(host_stats(), now)

        assert found is None or 0 <= found <= 100


def test_every_rate_has_its_column() -> None:
    columns = {field.name for field in Usage._meta.concrete_fields}

    assert set(Rates.__slots__) <= columns
