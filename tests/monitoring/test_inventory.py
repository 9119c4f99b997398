"""Rows of what machines use: written by each sample, gone with the machine that was stopped."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from domains.models import Domain, DomainState
from hosts.models import Host, HostState
from hypervisor.stats import HostStats
from monitoring import inventory
from monitoring.inventory import Sample, record_usages
from monitoring.models import Usage
from tests.monitoring.samples import SECOND_NS, host_stats, stats

Told = Callable[[], AbstractContextManager[list[Any]]]


@pytest.fixture
def web(host: Host) -> Domain:
    return Domain.objects.create(host=host, name="web", state=DomainState.RUNNING, vcpus=1)


@pytest.fixture
def told(django_capture_on_commit_callbacks: Any) -> Told:
    """What waits for the commit: the hints to browsers, and nothing else."""
    capture: Told = django_capture_on_commit_callbacks
    return capture


def record_usage(host: Host, before: HostStats, now: HostStats) -> None:
    record_usages([Sample(host, before, now)])


def later(*domains: Any, taken_s: float = 5.0, **different: Any) -> HostStats:
    return host_stats(*domains, taken_s=taken_s, **different)


class TestSample:
    def test_is_the_difference_of_two(self, host: Host, web: Domain) -> None:
        uuid = str(web.uuid)
        now = later(stats(uuid, cpu_time_ns=SECOND_NS), cpu_busy_ns=1, cpu_total_ns=4)

        record_usage(host, host_stats(stats(uuid)), now)

        usage = Usage.objects.get(domain=web)
        assert (usage.cpu_percent, usage.host_cpu_percent) == (20, 5)

    def test_says_nothing_of_a_machine_that_was_seen_once(self, host: Host, web: Domain) -> None:
        record_usage(host, host_stats(), later(stats(str(web.uuid))))

        assert not Usage.objects.exists()

    def test_of_a_machine_that_the_inventory_does_not_know_is_left_out(self, host: Host) -> None:
        record_usage(host, host_stats(stats("unknown")), later(stats("unknown")))

        assert not Usage.objects.exists()

    def test_renews_the_row_there_is(self, host: Host, web: Domain) -> None:
        uuid = str(web.uuid)
        for busy in (1, 2):
            record_usage(host, host_stats(stats(uuid)), later(stats(uuid, cpu_time_ns=busy * SECOND_NS)))

        assert Usage.objects.get().cpu_percent == 40

    def test_keeps_what_was_known_of_a_machine_that_started_anew(self, host: Host, web: Domain) -> None:
        uuid = str(web.uuid)
        record_usage(host, host_stats(stats(uuid)), later(stats(uuid, cpu_time_ns=SECOND_NS)))
        record_usage(host, later(stats(uuid, cpu_time_ns=SECOND_NS)), later(stats(uuid), taken_s=10))

        assert Usage.objects.get().cpu_percent == 20

    def test_forgets_a_machine_that_is_off(self, host: Host, web: Domain) -> None:
        uuid = str(web.uuid)
        record_usage(host, host_stats(stats(uuid)), later(stats(uuid)))
        record_usage(host, later(stats(uuid)), later(taken_s=10))

        assert not Usage.objects.exists()

    def test_leaves_a_machine_alone_that_runs_elsewhere_by_now(self, host: Host, web: Domain) -> None:
        uuid = str(web.uuid)
        other = Host.objects.create(name="kvm2", state=HostState.UP, cpus=2)
        Domain.objects.filter(pk=web.pk).update(host=other)
        record_usage(other, host_stats(stats(uuid)), later(stats(uuid)))

        record_usage(host, host_stats(stats(uuid)), later(taken_s=10))

        assert Usage.objects.get().host == other

    def test_takes_as_few_queries_for_many_as_for_one(self, host: Host) -> None:
        machines = Domain.objects.bulk_create(
            Domain(host=host, name=f"vm-{n}", state=DomainState.RUNNING, vcpus=1) for n in range(50)
        )

        def queries(some: list[Domain]) -> int:
            samples = [stats(str(one.uuid)) for one in some]
            with CaptureQueriesContext(connection) as asked:
                record_usage(host, host_stats(*samples), later(*samples))
            return len(asked)

        assert queries(machines) == queries(machines[:1]) - 1  # there the other 49 were forgotten


class TestHint:
    def test_tells_pages_that_there_is_something_newer(
        self, host: Host, web: Domain, monkeypatch: pytest.MonkeyPatch, told: Told
    ) -> None:
        monkeypatch.setattr(inventory, "TELL_S", 0.0)
        with told() as hints:
            record_usage(host, host_stats(stats(str(web.uuid))), later(stats(str(web.uuid))))

        assert len(hints) == 1

    def test_is_at_most_one_for_many_hosts(self, host: Host, web: Domain, told: Told) -> None:
        with told() as hints:
            for _ in range(5):
                record_usage(host, host_stats(stats(str(web.uuid))), later(stats(str(web.uuid))))

        assert len(hints) <= 1
