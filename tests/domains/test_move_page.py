"""The page that moves a machine: what it finds before, and who is told."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import pytest
from django.test import Client

from core.live import topic
from domains import asked
from domains.actions.migrate import migrate
from domains.models import Domain, DomainDisk, DomainNic, DomainState
from domains.moving import Move, MoveOptions
from domains.preflight import Finding, Level, blocker, look
from hosts.models import Host, HostState
from networks.models import Network
from operations.models import Operation
from storage.models import Pool, Volume, VolumeKind
from tests.conftest import Cast, program_of

GIB = 2**30


def make_host(name: str, **columns: Any) -> Host:
    plain = {"cpus": 8, "memory_mib": 16384, "memory_free_mib": 8192, "cpu_arch": "x86_64", "kvm": True}
    host = Host.objects.create(
        name=name, address=f"{name}.example.org", state=HostState.UP, **plain | columns
    )
    sizes = {"capacity_bytes": 500 * GIB, "available_bytes": 400 * GIB}
    Pool.objects.create(host=host, uuid=uuid4(), name="default", kind="dir", state="running", **sizes)
    Network.objects.create(host=host, uuid=uuid4(), name="default", active=True)
    return host


def make_volume(host: Host, path: str, **columns: Any) -> Volume:
    pool = Pool.objects.get(host=host, name="default")
    name = path.rpartition("/")[2]
    plain = {"format": "qcow2", "capacity_bytes": 20 * GIB, "allocation_bytes": 5 * GIB}
    return Volume.objects.create(pool=pool, name=name, path=path, **plain | columns)


@pytest.fixture
def here(db: None) -> Host:
    return make_host("here")


@pytest.fixture
def there(db: None) -> Host:
    return make_host("there")


@pytest.fixture
def domain(here: Host) -> Domain:
    domain = Domain.objects.create(
        host=here, name="web1", state=DomainState.RUNNING, vcpus=2, memory_mib=2048, accelerated=True
    )
    make_volume(here, "/pool/vda.qcow2", label="web1 disk", kind=VolumeKind.DISK)
    DomainDisk.objects.create(domain=domain, target="vda", device="disk", path="/pool/vda.qcow2")
    DomainNic.objects.create(domain=domain, mac="52:54:00:00:00:01", kind="network", source="default")
    return domain


def in_the_way(domain: Domain, target: Host, **options: Any) -> list[str]:
    target.refresh_from_db()
    return [finding.text for finding in look(domain, target, MoveOptions(**options)).blockers]


class TestPreflight:
    def test_finds_nothing_in_the_way(self, domain: Domain, there: Host) -> None:
        found = look(domain, there, MoveOptions())

        assert found.blockers == []
        (copy,) = found.copies
        assert (copy.target, copy.pool.host) == ("vda", there)

    @pytest.mark.parametrize(
        ("columns", "words"),
        [
            ({"state": HostState.DOWN}, "there can't be reached."),
            ({"maintenance": True}, "there is in maintenance."),
            ({"kvm": False}, "there has no KVM."),
            ({"cpu_arch": "aarch64"}, "there has CPUs of another kind, aarch64."),
            ({"memory_running_mib": 15000}, "there would have promised 16.6 GiB of its 16 GiB memory."),
            ({"address": ""}, "Nobody said under which address other hosts find there."),
        ],
    )
    def test_names_what_the_host_lacks(
        self, domain: Domain, there: Host, columns: dict[str, Any], words: str
    ) -> None:
        Host.objects.filter(pk=there.pk).update(**columns)

        assert in_the_way(domain, there) == [words]

    def test_names_the_host_it_is_on(self, domain: Domain, here: Host) -> None:
        assert "It is on here already." in in_the_way(domain, here)

    def test_names_a_name_that_is_taken(self, domain: Domain, there: Host) -> None:
        Domain.objects.create(host=there, name="web1")

        assert in_the_way(domain, there) == ["there has a virtual machine called web1."]

    def test_names_a_network_that_is_missing(self, domain: Domain, there: Host) -> None:
        there.networks.all().delete()

        assert in_the_way(domain, there) == ["there has no network default."]

    def test_names_a_pool_that_is_full(self, domain: Domain, there: Host) -> None:
        there.pools.update(available_bytes=GIB)

        assert in_the_way(domain, there) == [
            "Pool default on there has 1 GiB free, too little for disk vda (5 GiB)."
        ]

    def test_counts_copies_that_are_not_written_yet(
        self, cast: Cast, domain: Domain, here: Host, there: Host
    ) -> None:
        there.pools.update(available_bytes=8 * GIB)
        assert in_the_way(domain, there) == []
        other = Domain.objects.create(host=here, name="other", state=DomainState.OFF)
        disk = Volume.objects.create(
            pool=here.pools.get(),
            name="other.qcow2",
            path="/pool/other.qcow2",
            format="qcow2",
            capacity_bytes=10 * GIB,
            allocation_bytes=4 * GIB,
            ready=True,
        )
        DomainDisk.objects.create(domain=other, target="vda", device="disk", path=disk.path)

        migrate(domain=other, target=there, options=MoveOptions(), actor=cast.operator)

        assert in_the_way(domain, there) == [
            "Pool default on there has 4 GiB free, too little for disk vda (5 GiB)."
        ]

    def test_counts_machines_that_are_being_made_there(self, domain: Domain, there: Host) -> None:
        Domain.objects.create(host=there, name="new", state=DomainState.CREATING, memory_mib=15000)

        (words,) = in_the_way(domain, there)
        assert words.startswith("there would have promised")

    def test_names_a_disk_that_lies_nowhere(self, domain: Domain, there: Host) -> None:
        DomainDisk.objects.create(domain=domain, target="vdb", device="disk", path="/dev/sdx")

        assert in_the_way(domain, there) == [
            "Disk vdb lies outside of the pools that the panel knows: /dev/sdx"
        ]

    @pytest.mark.parametrize(
        "source", [{"pool_name": "default", "volume_name": "data.qcow2"}, {}], ids=["volume", "network"]
    )
    def test_names_a_disk_that_is_no_file(self, domain: Domain, there: Host, source: dict[str, str]) -> None:
        DomainDisk.objects.create(domain=domain, target="fda", device="floppy")
        DomainDisk.objects.create(domain=domain, target="vdb", device="disk", **source)

        (words,) = in_the_way(domain, there)

        assert words.startswith("Disk vdb is given by its pool or over the network")

    def test_an_image_is_ejected_only_where_asked(self, domain: Domain, there: Host) -> None:
        DomainDisk.objects.create(domain=domain, target="sda", device="cdrom", path="/pool/debian.iso")

        assert in_the_way(domain, there) == ["The image in drive sda is not on there."]
        assert [drive.target for drive in look(domain, there, MoveOptions(eject=True)).eject] == ["sda"]

    def test_an_image_that_is_there_too_stays_in(self, domain: Domain, here: Host, there: Host) -> None:
        DomainDisk.objects.create(domain=domain, target="sda", device="cdrom", path="/pool/debian.iso")
        image = {"kind": VolumeKind.ISO, "sha256": "ab" * 32, "format": "raw"}
        make_volume(here, "/pool/debian.iso", **image)
        make_volume(there, "/elsewhere/debian.iso", **image)

        found = look(domain, there, MoveOptions(eject=True))

        assert (found.blockers, found.eject) == ([], ())
        assert [(drive.target, drive.path) for drive in found.drives] == [("sda", "/elsewhere/debian.iso")]

    def test_a_disk_that_both_see_is_not_copied_unless_asked(self, domain: Domain, there: Host) -> None:
        make_volume(there, "/pool/vda.qcow2")

        assert [disk.target for disk in look(domain, there, MoveOptions()).shared] == ["vda"]
        assert [disk.target for disk in look(domain, there, MoveOptions(copy=True)).copies] == ["vda"]

    def test_a_disk_with_a_base_is_copied_only_while_it_runs(self, domain: Domain, there: Host) -> None:
        Volume.objects.update(backing_path="/pool/base.qcow2")

        assert in_the_way(domain, there) == []
        domain.state = DomainState.OFF
        assert len(in_the_way(domain, there)) == 1


def test_machines_on_their_way_take_their_place_already(
    cast: Cast, domain: Domain, here: Host, there: Host
) -> None:
    other = make_host("other", memory_mib=15000)
    big = Domain.objects.create(host=here, name="big", state=DomainState.RUNNING, memory_mib=12000)

    asked_for = [
        migrate(domain=one, target=None, options=MoveOptions(), actor=cast.operator) for one in (big, domain)
    ]

    assert [UUID(one.params["target"]) for one in asked_for] == [there.uuid, other.uuid]
    domain.memory_mib = 8000
    assert in_the_way(domain, there) == ["there would have promised 19.5 GiB of its 16 GiB memory."]


class TestPage:
    def test_moves_to_the_best_host(self, operator: Client, domain: Domain, there: Host) -> None:
        make_host("small", memory_mib=8192)

        answer = operator.post(f"/machines/{domain.uuid}/move/", {"key": uuid4(), "delete_source": "on"})

        operation = Operation.objects.get(target_id=domain.uuid)
        move = Move.from_params(operation.params)
        assert answer.headers["Location"] == f"/operations/{operation.pk}/"
        assert (operation.title, operation.long) == ("Move web1 to there", True)
        assert (move.target, move.live, move.options.delete_source) == (there.uuid, True, True)
        (copy,) = move.copies
        made = Volume.objects.get(uuid=copy[2])
        assert (made.pool.host, made.ready, made.label) == (there, False, "web1 disk")

    def test_tells_beside_the_host_what_is_in_the_way(
        self, operator: Client, domain: Domain, there: Host
    ) -> None:
        there.networks.update(active=False)

        answer = operator.post(f"/machines/{domain.uuid}/move/", {"key": uuid4(), "target": there.uuid})

        assert answer.status_code == 409
        assert "Network default is not active on there." in answer.content.decode()
        assert not Operation.objects.exists()

    def test_shows_what_was_found_and_asks_the_hosts(
        self, operator: Client, domain: Domain, there: Host
    ) -> None:
        page = operator.get(f"/machines/{domain.uuid}/move/?target={there.uuid}").content.decode()

        assert "Disk vda is copied to pool default on there (5 GiB)." in page
        assert "Asking both hosts" in page
        assert 'data-live="preflight:' in page


class TestRest:
    def test_tells_what_a_move_would_meet(self, cast: Cast, domain: Domain, there: Host) -> None:
        there.networks.update(active=False)
        program = program_of(cast.operator)

        told = program.get(f"/api/v1/domains/{domain.uuid}/migrate?target={there.uuid}").json()
        refused = program.post(
            f"/api/v1/domains/{domain.uuid}/migrate",
            {"target": str(there.uuid)},
            content_type="application/json",
        )

        assert (told["possible"], told["target"]) == (False, str(there.uuid))
        assert refused.status_code == 409
        assert refused.json()["title"] == "Network default is not active on there."


class TestAsked:
    @pytest.fixture
    def question(self, cast: Cast, domain: Domain, there: Host) -> UUID:
        question = asked.ask(cast.operator, domain, there)
        asked.answer(question, [blocker("The CPU of there lacks something.", "Choose another.")])
        return question

    def test_is_told_to_who_asked(self, cast: Cast, question: UUID) -> None:
        told = asked.told(cast.operator, question)

        assert told is not None
        assert told["findings"] == [
            Finding(level=Level.BLOCKER, text="The CPU of there lacks something.", fix="Choose another.")
        ]
        piece = topic("preflight")
        assert piece is not None
        assert "lacks something" in (piece.render(cast.operator, str(question)) or "")

    def test_is_told_to_nobody_else(self, cast: Cast, question: UUID) -> None:
        assert asked.told(cast.superuser, question) is None

    def test_is_not_told_to_who_may_not_move_it_any_more(self, cast: Cast, question: UUID) -> None:
        cast.operator.role = "requester"
        cast.operator.save()

        assert asked.told(cast.operator, question) is None
