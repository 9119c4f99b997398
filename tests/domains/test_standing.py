"""At a full reading only what changed is compared and written; whoever changed it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from domains.inventory import record_domain
from domains.models import Domain, DomainDisk, DomainNic, DomainState
from domains.standing import Standing, prints
from hosts.models import Host
from hypervisor.facts import DomainFacts, DomainReading
from hypervisor.facts import DomainState as Seen
from tests.domains.facts import disk_facts, domain_facts, nic_facts

pytestmark = pytest.mark.django_db

LONG_AGO = timedelta(minutes=5)


class There:
    """A host with machines, as its connection tells of them."""

    def __init__(self, host: Host, *machines: DomainFacts) -> None:
        self.host = host
        self.machines = {one.uuid: one for one in machines}
        self.standing = Standing()

    def read(self) -> list[DomainFacts]:
        """Once from end to end; which facts were asked for."""
        known = self.standing.known(self.host)
        readings = [
            DomainReading(
                uuid=uuid, digest=repr(facts), facts=None if known.get(uuid) == repr(facts) else facts
            )
            for uuid, facts in self.machines.items()
        ]
        self.standing.record(self.host, known, readings)
        return [one.facts for one in readings if one.facts is not None]


@pytest.fixture
def web() -> DomainFacts:
    disks, nics = (disk_facts("vda"), disk_facts("vdb")), (nic_facts(),)
    return domain_facts("web", disks=disks, nics=nics, tags=("blue",))


@pytest.fixture
def there(host: Host, web: DomainFacts) -> There:
    made = There(host, web, domain_facts("db"))
    made.read()
    return made


def written(asked: CaptureQueriesContext) -> list[str]:
    words = ("INSERT", "UPDATE", "DELETE")
    return [query["sql"] for query in asked.captured_queries if query["sql"].startswith(words)]


class TestUnchanged:
    def test_nothing_is_asked_for_again_and_only_the_time_is_written(self, there: There) -> None:
        Domain.objects.update(seen_at=timezone.now() - LONG_AGO)

        with CaptureQueriesContext(connection) as asked:
            assert there.read() == []

        (statement,) = written(asked)
        assert statement.startswith('UPDATE "domains_domain" SET "seen_at"')
        assert not Domain.objects.filter(seen_at__lt=timezone.now() - timedelta(minutes=1)).exists()

    def test_many_take_the_same_queries_as_few(self, there: There, host: Host) -> None:
        other = Host.objects.create(name="kvm2")
        many = There(other, *(domain_facts(f"vm{number}") for number in range(60)))
        many.read()

        with CaptureQueriesContext(connection) as few_asked:
            there.read()
        with CaptureQueriesContext(connection) as many_asked:
            many.read()

        assert len(few_asked) == len(many_asked)

    def test_it_is_known_from_its_first_reading_on_whatever_is_kept_of_it(self, there: There) -> None:
        Domain.objects.update(kept_sha="x")

        assert there.read() == []

    def test_one_connection_knows_nothing_of_another(self, there: There) -> None:
        there.standing = Standing()

        assert len(there.read()) == 2


def rename(row: Domain) -> None:
    Domain.objects.filter(pk=row.pk).update(name="other")


def forget(row: Domain) -> None:
    Domain.objects.filter(pk=row.pk).update(gone_at=timezone.now())


def retag(row: Domain) -> None:
    Domain.objects.filter(pk=row.pk).update(tags=["red"])


def begin_anew(row: Domain) -> None:
    Domain.objects.filter(pk=row.pk).update(state=DomainState.CREATING)


def lose_a_disk(row: Domain) -> None:
    DomainDisk.objects.filter(domain=row, target="vdb").delete()


def bend_a_disk(row: Domain) -> None:
    DomainDisk.objects.filter(domain=row, target="vda").update(path="/elsewhere")


def add_a_card(row: Domain) -> None:
    DomainNic.objects.create(domain=row, mac="52:54:00:00:00:99", kind="network", source="x", model="virtio")


class TestChangedByAnother:
    @pytest.mark.parametrize(
        "deed", [rename, forget, retag, begin_anew, lose_a_disk, bend_a_disk, add_a_card]
    )
    def test_a_row_is_set_right_at_the_next_reading(
        self, there: There, web: DomainFacts, host: Host, deed: Callable[[Domain], Any]
    ) -> None:
        row = Domain.objects.get(uuid=web.uuid)
        before = self._said(row)
        deed(row)

        assert there.read() == [web]
        assert self._said(Domain.objects.get(uuid=web.uuid)) == before
        assert there.read() == []

    def test_a_row_that_was_deleted_comes_back(self, there: There, web: DomainFacts) -> None:
        Domain.objects.filter(uuid=web.uuid).delete()

        assert there.read() == [web]
        assert Domain.objects.get(uuid=web.uuid).disks.count() == 2

    def test_a_worker_that_wrote_what_was_true_a_moment_ago_is_set_right(
        self, there: There, web: DomainFacts, host: Host
    ) -> None:
        record_domain(host, replace(web, state=Seen.RUNNING, live_id=3))

        assert there.read() == [web]
        assert Domain.objects.get(uuid=web.uuid).state == DomainState.OFF

    def _said(self, row: Domain) -> tuple[object, ...]:
        disks, nics = row.disks.values_list("target", "path"), row.nics.values_list("mac")
        return row.name, row.state, row.tags, row.gone_at, sorted(disks), sorted(nics)


class TestChangedThere:
    def test_it_alone_is_written(self, there: There, web: DomainFacts) -> None:
        there.machines[web.uuid] = changed = replace(web, state=Seen.RUNNING, live_id=3)

        assert there.read() == [changed]
        assert Domain.objects.get(uuid=web.uuid).state == DomainState.RUNNING
        assert there.read() == []

    def test_one_that_went_is_gone(self, there: There, web: DomainFacts) -> None:
        del there.machines[web.uuid]
        there.read()

        assert list(Domain.objects.filter(gone_at=None).values_list("name", flat=True)) == ["db"]

    def test_one_that_another_host_has_is_asked_for_each_time(self, there: There, web: DomainFacts) -> None:
        copy = There(Host.objects.create(name="kvm2"), web)

        assert [copy.read(), copy.read()] == [[web], [web]]
        assert Domain.objects.get(uuid=web.uuid).host == there.host

    def test_a_host_that_leaves_out_what_nobody_knows_shows_nothing(
        self, there: There, web: DomainFacts
    ) -> None:
        readings = [DomainReading(uuid=web.uuid, digest="", facts=None)]
        there.standing.record(there.host, {}, readings)

        assert prints(there.host) == {}
