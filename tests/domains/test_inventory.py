"""What hosts say of their machines becomes rows, and browsers hear of what changed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from domains.duplicates import TOLD_AFTER, released
from domains.inventory import record_domain, record_domains, record_gone, record_moved
from domains.models import Domain, DomainDisk, DomainState, Duplicate
from hosts.inventory import record_facts, record_lost
from hosts.models import Host, HostEvent
from hypervisor.facts import DomainFacts
from hypervisor.facts import DomainState as Seen
from operations.models import Operation, OperationState
from tests.conftest import Cast
from tests.domains.facts import disk_facts, domain_facts, nic_facts
from tests.hints import Hints
from tests.hosts.facts import host_facts

pytestmark = pytest.mark.django_db

Told = Callable[[], AbstractContextManager[set[tuple[str, str]]]]
LIST = ("domains", "all")


@pytest.fixture
def told(django_capture_on_commit_callbacks: Callable[..., AbstractContextManager[object]]) -> Told:
    """A block; what it gives holds, after the block, every hint that browsers got out of it."""

    @contextmanager
    def listen() -> Iterator[set[tuple[str, str]]]:
        told: set[tuple[str, str]] = set()
        with Hints() as hints:
            with django_capture_on_commit_callbacks(execute=True):
                yield told
                hints.end()
            told |= hints.heard()

    return listen


@pytest.fixture
def other_host(db: None) -> Host:
    return Host.objects.create(name="kvm2")


class TestAppearing:
    def test_a_new_machine_becomes_a_row_with_its_devices(self, host: Host, told: Told) -> None:
        facts = domain_facts(disks=(disk_facts("vda"), disk_facts("sda", device="cdrom", path="")))

        with told() as hints:
            record_domains(host, [facts])

        row = Domain.objects.get(uuid=facts.uuid)
        assert (row.name, row.state, row.vcpus, row.memory_mib) == ("web1", DomainState.OFF, 2, 1024)
        assert row.has_screen
        assert row.seen_at is not None
        assert sorted(row.disks.values_list("target", "path")) == [("sda", ""), ("vda", "/pool/vda.qcow2")]
        assert row.nics.get().mac == "52:54:00:00:00:01"
        assert hints == {("domain", str(facts.uuid)), LIST, ("host", str(host.uuid))}

    def test_one_that_comes_back_keeps_its_owner(self, host: Host, cast: Cast) -> None:
        facts = domain_facts()
        record_domain(host, facts)
        Domain.objects.update(owner=cast.member)
        record_domains(host, [])

        record_domains(host, [facts])

        row = Domain.objects.get(uuid=facts.uuid)
        assert row.gone_at is None
        assert row.owner == cast.member

    def test_the_row_that_its_operation_made_takes_the_facts(self, host: Host) -> None:
        row = Domain.objects.create(host=host, name="web1", state=DomainState.CREATING)

        record_domain(host, domain_facts(uuid=row.uuid, state=Seen.RUNNING, live_id=7))

        row.refresh_from_db()
        assert (row.state, row.live_id) == (DomainState.RUNNING, 7)

    @pytest.mark.parametrize(
        "name", ["<script>alert(1)</script>", "a" * 255, "a" * 4000, "ñ\u202egnp", "../../x"]
    )
    def test_hostile_names_are_text(self, host: Host, name: str) -> None:
        facts = domain_facts(name, description=name, nics=(nic_facts(source=name),))

        record_domains(host, [facts])

        assert Domain.objects.get(uuid=facts.uuid).name == name[:255]

    def test_numbers_beyond_the_column_are_cut(self, host: Host) -> None:
        facts = domain_facts(memory_mib=2**43, memory_max_mib=2**43)

        record_domain(host, facts)

        assert Domain.objects.get(uuid=facts.uuid).memory_mib == 2**31 - 1


class TestChanging:
    def test_nothing_is_told_when_nothing_changed(self, host: Host, told: Told) -> None:
        facts = domain_facts()
        record_domain(host, facts)
        Domain.objects.update(seen_at=timezone.now() - timedelta(minutes=5))

        with told() as hints:
            record_domains(host, [facts])

        assert hints == set()
        seen_at = Domain.objects.get().seen_at
        assert seen_at is not None
        assert timezone.now() - seen_at < timedelta(minutes=1)

    def test_a_state_is_told_to_the_page_and_to_the_list(self, host: Host, told: Told) -> None:
        facts = domain_facts()
        record_domain(host, facts)

        with told() as hints:
            record_domain(host, replace(facts, state=Seen.RUNNING, live_id=1))

        assert hints == {("domain", str(facts.uuid)), LIST, ("host", str(host.uuid))}
        assert Domain.objects.get().state == DomainState.RUNNING

    def test_what_no_list_shows_is_told_to_the_page_alone(self, host: Host, told: Told) -> None:
        facts = domain_facts()
        record_domain(host, facts)

        with told() as hints:
            record_domain(host, replace(facts, description="the shop's front", disks=(disk_facts("vdb"),)))

        assert hints == {("domain", str(facts.uuid))}
        assert DomainDisk.objects.get().target == "vdb"

    def test_devices_are_written_anew_only_when_they_differ(self, host: Host) -> None:
        disks = (disk_facts("vda"), disk_facts("vdb"))
        facts = domain_facts(disks=disks)
        record_domain(host, facts)
        known = set(DomainDisk.objects.values_list("pk", flat=True))

        record_domain(host, replace(facts, disks=disks[::-1]))
        assert set(DomainDisk.objects.values_list("pk", flat=True)) == known

        record_domain(host, replace(facts, disks=disks[:1]))
        assert DomainDisk.objects.get().target == "vda"

    def test_names_may_be_swapped_and_may_be_there_twice(self, host: Host) -> None:
        one, two = domain_facts("one"), domain_facts("two")
        record_domains(host, [one, two])

        record_domains(host, [replace(one, name="two"), replace(two, name="one")])
        assert Domain.objects.get(uuid=one.uuid).name == "two"
        assert Domain.objects.get(uuid=two.uuid).name == "one"

        record_domains(host, [replace(one, name="same"), replace(two, name="same")])
        assert Domain.objects.filter(name="same").count() == 2


class TestVanishing:
    def test_it_is_marked_and_nothing_is_deleted(self, host: Host, told: Told) -> None:
        stays, goes = domain_facts("stays"), domain_facts("goes")
        record_domains(host, [stays, goes])

        with told() as hints:
            record_domains(host, [stays])

        assert Domain.objects.present().get().uuid == stays.uuid
        gone = Domain.objects.get(uuid=goes.uuid)
        assert gone.gone_at is not None
        assert gone.disks.count() == 1
        assert hints == {("domain", str(goes.uuid)), LIST, ("host", str(host.uuid))}

    def test_one_machine_by_its_uuid(self, host: Host, told: Told) -> None:
        facts = domain_facts()
        record_domain(host, facts)

        with told() as hints:
            record_gone(host, facts.uuid)
            record_gone(host, uuid4())

        assert not Domain.objects.present().exists()
        assert hints == {("domain", str(facts.uuid)), LIST, ("host", str(host.uuid))}

    @pytest.mark.parametrize(
        ("state", "kept"), [(OperationState.RUNNING, True), (OperationState.FAILED, False)]
    )
    def test_one_that_is_being_made_stays_as_long_as_its_operation_works(
        self,
        host: Host,
        state: OperationState,
        kept: bool,  # noqa: FBT001
    ) -> None:
        row = Domain.objects.create(host=host, name="web1", state=DomainState.CREATING)
        Operation.objects.create(
            kind="domain.create", target_kind="domain", target_id=row.uuid, target_name="web1", state=state
        )

        record_domains(host, [])

        assert Domain.objects.present().exists() is kept

    def test_another_hosts_machines_are_not_touched(self, host: Host, other_host: Host) -> None:
        record_domain(other_host, domain_facts())

        record_domains(host, [])

        assert Domain.objects.present().count() == 1


class TestMoving:
    @pytest.fixture
    def running(self, host: Host) -> DomainFacts:
        facts = domain_facts(state=Seen.RUNNING, live_id=3)
        record_domain(host, facts)
        return facts

    def test_a_host_that_runs_it_too_does_not_get_it(
        self, host: Host, other_host: Host, running: DomainFacts
    ) -> None:
        assert record_domain(other_host, replace(running, live_id=1)).host == host
        assert record_domains(other_host, [running]) == {running.uuid}

        assert Domain.objects.get().host == host
        assert Duplicate.objects.get().state == DomainState.RUNNING

    def test_it_goes_where_it_is_once_its_host_says_that_it_migrated(
        self, host: Host, other_host: Host, running: DomainFacts
    ) -> None:
        record_domain(other_host, replace(running, live_id=1))
        assert not released(other_host)

        record_domain(host, replace(running, state=Seen.OFF, state_reason="migrated", live_id=None))
        assert released(other_host) == {running.uuid}

        record_domain(other_host, replace(running, live_id=1))
        row = Domain.objects.get()
        assert (row.host, row.state) == (other_host, DomainState.RUNNING)
        assert not Duplicate.objects.exists()
        assert "moved here from kvm1" in other_host.events.get().text

    def test_it_goes_where_it_is_once_its_host_does_not_know_it(
        self, host: Host, other_host: Host, running: DomainFacts
    ) -> None:
        record_domains(other_host, [running])
        record_domains(host, [])

        record_domains(other_host, [running])

        assert Domain.objects.present().get().host == other_host
        assert Host.objects.get(pk=other_host.pk).domains_running == 1
        assert Host.objects.get(pk=host.pk).domains_running == 0

    def test_it_stays_while_it_is_on_its_way(
        self, host: Host, other_host: Host, running: DomainFacts
    ) -> None:
        record_domains(other_host, [replace(running, state=Seen.PAUSED)])

        assert Domain.objects.get().host == host

    def test_what_the_panel_moved_itself_needs_no_word_of_its_old_host(
        self, host: Host, other_host: Host, running: DomainFacts
    ) -> None:
        record_moved(other_host, running)

        assert Domain.objects.present().get().host == other_host

    def test_what_the_source_keeps_of_it_does_not_take_it_back(
        self, host: Host, other_host: Host, running: DomainFacts
    ) -> None:
        record_moved(other_host, running)

        record_domains(host, [replace(running, state=Seen.OFF, live_id=None)])

        row = Domain.objects.get()
        assert (row.host, row.state) == (other_host, DomainState.RUNNING)

    def test_a_copy_is_told_to_people_once_when_it_stays(
        self, host: Host, other_host: Host, running: DomainFacts
    ) -> None:
        record_domains(other_host, [running])
        released(other_host)
        assert not HostEvent.objects.exists()
        Duplicate.objects.update(since=timezone.now() - TOLD_AFTER)

        released(other_host)
        released(other_host)

        assert "Undefine one of the two" in other_host.events.get().text
        assert host.events.get().kind == "duplicate"

    @pytest.mark.parametrize("whole", [True, False])
    def test_a_copy_that_went_is_forgotten(
        self, host: Host, other_host: Host, running: DomainFacts, *, whole: bool
    ) -> None:
        record_domains(other_host, [running])

        if whole:
            record_domains(other_host, [])
        else:
            record_gone(other_host, running.uuid)

        assert not Duplicate.objects.exists()
        assert Domain.objects.present().get().host == host

    def test_it_leaves_a_host_that_was_removed(
        self, host: Host, other_host: Host, running: DomainFacts
    ) -> None:
        Host.objects.filter(pk=host.pk).update(gone_at=timezone.now())

        record_domains(other_host, [replace(running, state=Seen.OFF)])

        assert Domain.objects.present().get().host == other_host
        assert not HostEvent.objects.filter(kind="moved").exists()


class TestCounters:
    def test_a_host_knows_the_sums_of_its_machines(self, host: Host) -> None:
        on = domain_facts("on", state=Seen.RUNNING, live_id=1)
        record_domains(host, [on, domain_facts("off")])

        host.refresh_from_db()
        assert (host.domains_total, host.domains_running) == (2, 1)
        assert (host.vcpus_running, host.memory_running_mib) == (on.vcpus, on.memory_mib)

        record_domain(host, replace(on, state=Seen.OFF, live_id=None))

        host.refresh_from_db()
        assert (host.domains_total, host.domains_running, host.memory_running_mib) == (2, 0, 0)


@pytest.mark.django_db(transaction=True)
class TestTwoWriters:
    def test_a_worker_and_the_watcher_leave_every_disk_once(self, host: Host) -> None:
        facts = domain_facts()
        record_domain(host, facts)

        for round_ in range(20):
            changed = replace(facts, disks=tuple(disk_facts(f"vd{i}", path=f"/{round_}") for i in "abcdef"))
            with ThreadPoolExecutor(2) as writers:
                for done in [writers.submit(self._record, host, changed) for _ in range(2)]:
                    done.result()

            assert DomainDisk.objects.count() == 6

    def _record(self, host: Host, facts: DomainFacts) -> None:
        try:
            record_domain(host, facts)
        finally:
            connection.close()


class TestCost:
    def test_ten_machines_and_five_hundred_take_the_same_queries(self, host: Host, other_host: Host) -> None:
        few = [domain_facts(f"few-{i}") for i in range(10)]
        many = [domain_facts(f"many-{i}") for i in range(500)]
        record_domains(host, few)
        record_domains(other_host, many)

        counts = []
        for machines, place in ((few, host), (many, other_host)):
            changed = [replace(machines[0], state=Seen.RUNNING, live_id=1), *machines[1:-1]]
            with CaptureQueriesContext(connection) as quiet:
                record_domains(place, machines)
            with CaptureQueriesContext(connection) as busy:
                record_domains(place, changed)
            counts.append((len(quiet), len(busy)))

        assert counts[0] == counts[1]
        assert counts[0][0] <= 11


class TestHostThatComesAndGoes:
    def test_pages_of_its_machines_are_told_once(self, host: Host, told: Told) -> None:
        domain = record_domain(host, domain_facts())

        with told() as hints:
            record_lost(host, "No route to host")
        assert {LIST, ("domain", str(domain.uuid))} <= hints

        with told() as hints:
            record_lost(host, "No route to host")
        assert LIST not in hints

        with told() as hints:
            record_facts(host, host_facts(), latency_ms=0.1)
        assert {LIST, ("domain", str(domain.uuid))} <= hints

        with told() as hints:
            record_facts(host, host_facts(), latency_ms=0.1)
        assert LIST not in hints
