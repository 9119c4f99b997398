"""Pulses of many hosts are written together; one of them can't keep the others from it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.db.models.functions import Now
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

import monitoring.inventory
from domains.models import Domain, DomainState
from hosts.inventory import Contact, record_lost
from hosts.models import Host, HostState, Transport
from monitoring.models import Usage
from tests.eventually import eventually
from tests.monitoring.samples import host_stats, stats
from watcher.claims import Claims, Held
from watcher.models import Claim
from watcher.pulses import Pulse, Pulses

LONG_AGO = timedelta(minutes=5)
MACHINES = 2


@pytest.fixture
def claims(db: None) -> Claims:
    return Claims()


@pytest.fixture
def held(claims: Claims) -> list[Held]:
    """Three hosts that are up, with machines that run."""
    for number in range(3):
        host = Host.objects.create(
            name=f"kvm{number}", transport=Transport.SSH, address=f"kvm{number}", state=HostState.UP, cpus=2
        )
        for machine in range(MACHINES):
            Domain.objects.create(host=host, name=f"vm{machine}", state=DomainState.RUNNING, vcpus=1)
    Host.objects.update(seen_at=timezone.now() - LONG_AGO)
    return sorted(claims.look().values(), key=lambda one: one.host.name)


@pytest.fixture
def pulses(claims: Claims, monkeypatch: pytest.MonkeyPatch) -> Iterator[Pulses]:
    """They write when they are told to."""
    monkeypatch.setattr("watcher.pulses.GATHER_S", 3600)
    made = Pulses(claims)
    yield made
    made.close()


def pulse(held: Held, *, memory_free_mib: int | None = 100, cpu_percent: float | None = 50.0) -> Pulse:
    samples = [stats(str(uuid)) for uuid in held.host.domains.values_list("uuid", flat=True)]
    told = None
    if memory_free_mib is not None:
        told = Contact(memory_free_mib=memory_free_mib, latency_ms=1, cpu_percent=cpu_percent)
    return Pulse(held=held, contact=told, before=host_stats(*samples), now=host_stats(*samples, taken_s=5.0))


def seen_now() -> set[str]:
    recent = Host.objects.filter(seen_at__gt=timezone.now() - timedelta(minutes=1))
    return set(recent.values_list("name", flat=True))


class TestTogether:
    def test_all_that_wait_are_written(self, pulses: Pulses, held: list[Held]) -> None:
        for number, one in enumerate(held):
            pulses.put(pulse(one, memory_free_mib=number))
        pulses.write()

        assert seen_now() == {"kvm0", "kvm1", "kvm2"}
        assert list(Host.objects.order_by("pk").values_list("memory_free_mib", flat=True)) == [0, 1, 2]
        assert Usage.objects.count() == 3 * MACHINES

    def test_the_queries_do_not_grow_with_the_hosts(self, pulses: Pulses, held: list[Held]) -> None:
        def queries(some: list[Held]) -> int:
            for one in some:
                pulses.put(pulse(one))
            with CaptureQueriesContext(connection) as asked:
                pulses.write()
            return len(asked)

        assert queries(held) == queries(held[:1])

    def test_a_share_of_the_cpus_that_is_not_known_leaves_the_one_that_was(
        self, pulses: Pulses, held: list[Held]
    ) -> None:
        pulses.put(pulse(held[0], cpu_percent=12.34))
        pulses.write()
        pulses.put(pulse(held[0], memory_free_mib=7, cpu_percent=None))
        pulses.write()

        host = Host.objects.get(pk=held[0].host.pk)
        assert (host.memory_free_mib, host.cpu_percent) == (7, 12.3)

    def test_numbers_beyond_the_column_are_cut(self, pulses: Pulses, held: list[Held]) -> None:
        pulses.put(pulse(held[0], memory_free_mib=2**43))
        pulses.write()

        assert Host.objects.get(pk=held[0].host.pk).memory_free_mib == 2**31 - 1

    def test_a_later_one_that_brings_less_does_not_hide_what_waits(
        self, pulses: Pulses, held: list[Held]
    ) -> None:
        pulses.put(pulse(held[0]))
        pulses.put(pulse(held[0], memory_free_mib=None))
        pulses.write()

        assert seen_now() == {"kvm0"}

    def test_they_are_written_by_themselves(
        self, transactional_db: None, held: list[Held], claims: Claims, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("watcher.pulses.GATHER_S", 0.05)
        pulses = Pulses(claims)
        pulses.put(pulse(held[0]))
        eventually(lambda: seen_now() == {"kvm0"}, within_s=10)
        pulses.close()


class TestOnesOwn:
    def test_a_host_that_another_watcher_took_is_left_to_it(self, pulses: Pulses, held: list[Held]) -> None:
        Claim.objects.filter(host=held[0].host).update(epoch=9)
        for one in held:
            pulses.put(pulse(one))
        pulses.write()

        assert seen_now() == {"kvm1", "kvm2"}
        assert not Usage.objects.filter(host=held[0].host).exists()

    def test_a_host_that_was_found_lost_since_stays_so(self, pulses: Pulses, held: list[Held]) -> None:
        pulses.put(pulse(held[0]))
        record_lost(held[0].host, "No route to host")
        pulses.write()

        assert Host.objects.get(pk=held[0].host.pk).state == HostState.DOWN
        assert seen_now() == set()

    def test_one_that_cannot_be_written_keeps_no_other_from_it(
        self, pulses: Pulses, held: list[Held], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        write = monitoring.inventory.record_usages

        def refuse(samples: Any) -> None:
            if any(sample.host == held[1].host for sample in samples):
                raise ValueError("nonsense")
            write(samples)

        monkeypatch.setattr(monitoring.inventory, "record_usages", refuse)
        for one in held:
            pulses.put(pulse(one))
        pulses.write()

        assert seen_now() == {"kvm0", "kvm2"}

    def test_where_the_database_is_away_they_are_dropped_at_once(
        self, pulses: Pulses, held: list[Held], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        asked = []

        def refuse(samples: Any) -> None:
            asked.append(len(samples))
            raise OperationalError("no line")

        monkeypatch.setattr(monitoring.inventory, "record_usages", refuse)
        for one in held:
            pulses.put(pulse(one))
        pulses.write()
        pulses.write()

        assert asked == [len(held)]

    def test_a_host_that_is_gone_is_no_failure(self, pulses: Pulses, held: list[Held]) -> None:
        Host.objects.filter(pk=held[0].host.pk).update(gone_at=Now())
        for one in held:
            pulses.put(pulse(one))
        Domain.objects.filter(host=held[0].host).delete()
        pulses.write()

        assert {"kvm1", "kvm2"} <= seen_now()
