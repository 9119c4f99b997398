"""Every definition is kept, with who brought it about."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db.models import CharField
from django.db.models.functions import Cast as AsText
from django.utils import timezone

from domains import versions
from domains.models import Domain, DomainState, DomainVersion, Origin
from domains.procedures.steps import refresh
from hosts.connections import borrow
from hosts.models import Host
from operations.models import Operation, OperationState
from tests.conftest import Cast
from tests.domains.history import changed_beside, definition, seen
from tests.lab.host import LabHost
from tests.lab.machines import machine


@pytest.fixture
def domain(cast: Cast, host: Host) -> Domain:
    return Domain.objects.create(host=host, name="web1", team=cast.team, state=DomainState.OFF)


def at_work(
    domain: Domain, cast: Cast, *, kind: str = "domain.edit", ended_s_ago: float | None = None, **columns: Any
) -> Operation:
    """An operation on the machine that runs, or ended so many seconds ago."""
    values: dict[str, Any] = {"state": OperationState.RUNNING, "started_at": timezone.now()}
    if ended_s_ago is not None:
        then = timezone.now() - timedelta(seconds=ended_s_ago)
        values |= {"state": OperationState.SUCCEEDED, "finished_at": then}
    made: Operation = Operation.objects.create(
        kind=kind,
        title="More memory for web1",
        target_kind="domain",
        target_id=domain.uuid,
        target_name=domain.name,
        actor=cast.operator,
        **(values | columns),
    )
    return made


def origins(domain: Domain) -> list[str]:
    return list(domain.versions.order_by("number").values_list("origin", flat=True))


class TestKeeping:
    def test_the_first_is_what_was_there(self, domain: Domain) -> None:
        seen(domain, definition(domain, memory_mib=512))

        version = versions.latest(domain)
        assert version is not None
        assert (version.number, version.origin, version.changes) == (1, Origin.FIRST, [])
        assert version.xml == definition(domain, memory_mib=512)
        assert domain.kept_sha == domain.xml_sha == version.sha

    def test_what_follows_says_what_differs(self, domain: Domain) -> None:
        changed_beside(domain)

        version = versions.latest(domain)
        assert version is not None
        assert (version.number, version.origin) == (2, Origin.BESIDE)
        assert version.changes == ["memory: 512 MiB → 1024 MiB"]
        assert version.author is None

    def test_the_same_again_is_no_version(self, domain: Domain) -> None:
        changed_beside(domain)
        seen(domain, definition(domain, memory_mib=1024))

        assert domain.versions.count() == 2

    def test_going_back_is_one(self, domain: Domain) -> None:
        changed_beside(domain)
        seen(domain, definition(domain, memory_mib=512))

        assert domain.versions.count() == 3

    def test_a_document_that_is_not_the_one_last_seen_is_left(self, domain: Domain) -> None:
        changed_beside(domain)

        versions.keep(domain.host, {domain.uuid: definition(domain, memory_mib=4096)})

        assert domain.versions.count() == 2

    def test_nor_is_one_of_a_machine_that_is_on_another_host(self, domain: Domain) -> None:
        elsewhere = Host.objects.create(name="kvm2")
        xml = definition(domain, memory_mib=512)
        versions.keep(elsewhere, {domain.uuid: xml})

        assert not domain.versions.exists()

    def test_is_sealed(self, domain: Domain) -> None:
        changed_beside(domain)

        raw = DomainVersion.objects.annotate(raw=AsText("sealed", CharField())).values_list("raw", flat=True)
        assert [text[:5] for text in raw] == ["gAAAA", "gAAAA"]  # as Fernet tokens begin

    def test_forgets_the_oldest_in_the_end(self, domain: Domain, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(versions, "KEPT", 3)
        for size in range(1, 6):
            seen(domain, definition(domain, memory_mib=size))

        assert list(domain.versions.values_list("number", flat=True)) == [5, 4, 3]


class TestAuthors:
    def test_an_operation_at_work_is_the_author(self, domain: Domain, cast: Cast) -> None:
        seen(domain, definition(domain, memory_mib=512))
        operation = at_work(domain, cast)
        seen(domain, definition(domain, memory_mib=1024))

        version = versions.latest(domain)
        assert version is not None
        assert (version.origin, version.author, version.operation) == (Origin.PANEL, cast.operator, operation)
        assert version.note == "More memory for web1"

    @pytest.mark.parametrize(
        ("columns", "origin"),
        [
            ({"ended_s_ago": 1}, Origin.PANEL),
            ({"ended_s_ago": 30}, Origin.BESIDE),
            ({"ended_s_ago": 600, "params": {"unseen": True}}, Origin.PANEL),
            ({"ended_s_ago": 600, "params": {"unseen": False}}, Origin.BESIDE),
            ({"ended_s_ago": 3600, "params": {"unseen": True}}, Origin.BESIDE),
            ({"state": OperationState.QUEUED, "started_at": None}, Origin.BESIDE),
            ({"kind": "domain.start"}, Origin.BESIDE),
            ({"kind": "domain.guest.trim"}, Origin.BESIDE),
            ({"kind": "domain.migrate"}, Origin.PANEL),
        ],
    )
    def test_others_only_where_they_can_be(
        self, domain: Domain, cast: Cast, columns: dict[str, Any], origin: Origin
    ) -> None:
        seen(domain, definition(domain, memory_mib=512))
        at_work(domain, cast, **columns)
        seen(domain, definition(domain, memory_mib=1024))

        assert origins(domain) == [Origin.FIRST, origin]

    def test_one_that_ended_has_no_second_change(self, domain: Domain, cast: Cast) -> None:
        seen(domain, definition(domain, memory_mib=512))
        at_work(domain, cast, ended_s_ago=1)
        seen(domain, definition(domain, memory_mib=1024))
        seen(domain, definition(domain, memory_mib=2048))

        assert origins(domain) == [Origin.FIRST, Origin.PANEL, Origin.BESIDE]


class TestNoticing:
    def test_lists_what_has_another_definition_than_the_one_kept(self, domain: Domain) -> None:
        assert versions.unkept(domain.host) == []
        Domain.objects.update(xml_sha="1" * 64)
        assert versions.unkept(domain.host) == [domain.uuid]
        Domain.objects.update(kept_sha="1" * 64)
        assert versions.unkept(domain.host) == []

    def test_an_operation_keeps_what_it_has_made(
        self, real_host: Host, lab_host: LabHost, cast: Cast
    ) -> None:
        with machine(lab_host, "web1") as made:
            params = {"host": str(real_host.uuid), "domain": str(made.uuid)}
            refresh(params)
            domain = Domain.objects.get(uuid=made.uuid)
            at_work(domain, cast)
            made.virsh("setmaxmem", "65536", "--config")
            refresh(params)

            assert origins(domain) == [Origin.FIRST, Origin.PANEL]
            newest = versions.latest(domain)
            assert newest is not None
            with borrow(real_host) as hypervisor:
                assert newest.xml == hypervisor.read_definition(made.uuid)
