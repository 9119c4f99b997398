"""What hosts say of pools and volumes becomes rows; what people wrote on them stays."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from hosts.models import Host
from hypervisor.facts import PoolFacts, PoolState, VolumeFacts
from storage.inventory import (
    SETTLING,
    disown,
    drop_reservation,
    record_pool,
    record_pools,
    record_volume,
    record_volume_gone,
    record_volumes,
)
from storage.models import Pool, Volume, VolumeKind
from tests.hints import Hints

pytestmark = pytest.mark.django_db

GIB = 1024**3


def pool_facts(name: str = "default", **different: Any) -> PoolFacts:
    facts: dict[str, Any] = {
        "uuid": uuid4(),
        "name": name,
        "kind": "dir",
        "state": PoolState.RUNNING,
        "path": "/pool",
        "capacity_bytes": 100 * GIB,
        "allocation_bytes": 20 * GIB,
        "available_bytes": 80 * GIB,
        "persistent": True,
        "autostart": True,
    }
    return PoolFacts(**{**facts, **different})


def volume_facts(name: str = "a.img", **different: Any) -> VolumeFacts:
    facts: dict[str, Any] = {
        "name": name,
        "key": f"/pool/{name}",
        "path": f"/pool/{name}",
        "format": "raw",
        "capacity_bytes": GIB,
        "allocation_bytes": 0,
        "physical_bytes": GIB,
        "backing_path": "",
        "compat": "",
        "features": (),
    }
    return VolumeFacts(**{**facts, **different})


@pytest.fixture
def pool(host: Host) -> Pool:
    record_pools(host, [pool_facts()])
    return Pool.objects.get()


def ours(pool: Pool, **different: Any) -> Volume:
    values: dict[str, Any] = {
        "name": "ours.img", "label": "data", "kind": VolumeKind.DISK, "format": "raw", "ours": True,
        "capacity_bytes": GIB, "seen_at": timezone.now() - 2 * SETTLING,
    }  # fmt: skip
    return Volume.objects.create(pool=pool, **{**values, **different})


class TestPools:
    def test_appear_vanish_and_come_back(self, host: Host) -> None:
        first, second = pool_facts("first"), pool_facts("second")
        record_pools(host, [first, second])
        record_pools(host, [second])
        assert [pool.name for pool in Pool.objects.present()] == ["second"]
        row = Pool.objects.get(name="first").pk
        record_pools(host, [first, second])
        assert Pool.objects.get(name="first", gone_at=None).pk == row

    def test_one_says_nothing_of_the_others(self, host: Host) -> None:
        record_pools(host, [pool_facts("first")])
        record_pool(host, pool_facts("second"))
        assert Pool.objects.present().count() == 2

    def test_of_one_uuid_on_two_hosts_are_two(self, host: Host) -> None:
        facts, other = pool_facts(), Host.objects.create(name="kvm2")
        record_pools(host, [facts])
        record_pools(other, [facts])
        record_pools(host, [])
        assert Pool.objects.present().get().host == other

    def test_absurd_sizes_and_names_are_cut(self, host: Host) -> None:
        record_pools(host, [pool_facts("x" * 300, capacity_bytes=2**64, path="/" * 2000)])
        pool = Pool.objects.get()
        assert pool.capacity_bytes == 2**63 - 1
        assert len(pool.name) == 255

    def test_only_what_changed_is_told(self, host: Host, django_capture_on_commit_callbacks: Any) -> None:
        steady, full = pool_facts("steady"), pool_facts("full")
        record_pools(host, [steady, full])
        fuller = pool_facts("full", uuid=full.uuid, available_bytes=1)
        with Hints() as hints:
            with django_capture_on_commit_callbacks(execute=True):
                record_pools(host, [steady, fuller])
                hints.end()
            assert hints.heard() == {("pool", str(full.uuid)), ("storage", "all")}


class TestVolumes:
    def test_of_others_are_what_the_host_says(self, pool: Pool) -> None:
        record_volumes(pool, [volume_facts("a.iso", format="iso", features=("lazy_refcounts",))])
        volume = Volume.objects.get()
        assert (volume.kind, volume.ours, volume.ready) == (VolumeKind.ISO, False, True)
        assert volume.format == "iso"
        record_volumes(pool, [])
        volume.refresh_from_db()
        assert volume.gone_at is not None

    def test_of_ours_keep_what_people_wrote(self, pool: Pool) -> None:
        volume = ours(pool, sha256="ab")
        record_volumes(pool, [volume_facts("ours.img", allocation_bytes=5)])
        volume.refresh_from_db()
        assert (volume.label, volume.kind, volume.sha256) == ("data", VolumeKind.DISK, "ab")
        assert volume.allocation_bytes == 5

    def test_of_ours_are_not_what_their_bytes_pretend(self, pool: Pool) -> None:
        volume = ours(pool)
        lie = volume_facts("ours.img", format="qcow2", capacity_bytes=900 * GIB, backing_path="/etc/shadow")
        record_volumes(pool, [lie])
        volume.refresh_from_db()
        assert (volume.format, volume.capacity_bytes, volume.backing_path) == ("raw", GIB, "")

    def test_that_are_being_made_do_not_vanish(self, pool: Pool) -> None:
        volume = ours(pool, ready=False, seen_at=None)
        record_volumes(pool, [])
        volume.refresh_from_db()
        assert volume.gone_at is None

    def test_a_list_from_before_we_acted_changes_nothing(self, pool: Pool) -> None:
        made, deleted = ours(pool), ours(pool, name="deleted.img")
        record_volume(pool, volume_facts("ours.img"))
        record_volume_gone(pool, "deleted.img")
        record_volumes(pool, [volume_facts("deleted.img")])
        made.refresh_from_db()
        deleted.refresh_from_db()
        assert made.gone_at is None
        assert deleted.gone_at is not None

    def test_a_reservation_is_dropped_what_was_made_stays(self, pool: Pool) -> None:
        reserved, made = ours(pool, ready=False), ours(pool, name="made.img")
        drop_reservation(reserved.uuid)
        drop_reservation(made.uuid)
        assert Volume.objects.get(gone_at=None) == made

    def test_what_could_not_be_taken_back_is_nobodys(self, pool: Pool) -> None:
        volume = ours(pool, ready=False)
        disown(volume)
        record_volumes(pool, [volume_facts("ours.img")])
        volume.refresh_from_db()
        assert (volume.gone_at, volume.ours, volume.kind) == (None, False, VolumeKind.OTHER)
        record_volumes(pool, [])
        volume.refresh_from_db()
        assert volume.gone_at is not None

    def test_ten_or_hundreds_take_the_same_queries(self, pool: Pool) -> None:
        def queries(count: int) -> int:
            facts = [volume_facts(f"{number}.img") for number in range(count)]
            record_volumes(pool, facts)
            with CaptureQueriesContext(connection) as captured:
                record_volumes(pool, facts)
            return len(captured)

        assert queries(10) == queries(400)
