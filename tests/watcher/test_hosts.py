"""Hosts come, go, die and hang; the panel says so, and each is alone with its troubles."""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from django.utils import timezone

import watcher.watch
from domains.models import Domain, DomainState
from hosts.models import Host, HostState
from networks.models import Network
from storage.models import Pool, Volume
from tests.eventually import eventually
from tests.lab.host import LabHost
from tests.lab.machines import machine
from tests.watcher.conftest import Define, is_in, watching


@pytest.fixture(scope="module")
def second_lab_host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabHost]:
    with LabHost(tmp_path_factory.mktemp("second")) as host:
        yield host


class TestConnecting:
    def test_everything_is_read(self, watched: Host, lab_host: LabHost) -> None:
        (lab_host.pool_path / "beside.iso").write_bytes(bytes(1000))

        pool = eventually(lambda: Pool.objects.filter(host=watched, name="default").first(), within_s=5)

        assert pool.usable
        assert watched.cpus > 0
        assert watched.libvirt_version
        assert watched.latency_ms is not None
        assert Network.objects.filter(host=watched, name="default", active=True).exists()
        (lab_host.pool_path / "beside.iso").unlink()

    def test_files_that_people_put_into_a_pool_are_found(self, lab: Host, lab_host: LabHost) -> None:
        file = lab_host.pool_path / "beside.iso"
        file.write_bytes(bytes(1000))
        try:
            with watching():
                eventually(
                    lambda: Volume.objects.filter(pool__host=lab, name="beside.iso").exists(), within_s=10
                )
        finally:
            file.unlink()

    def test_a_host_added_later_is_taken_up(self, watched: Host, second_lab_host: LabHost) -> None:
        second = Host.objects.create(name="second", socket=str(second_lab_host.socket))

        eventually(partial(is_in, second, HostState.UP), within_s=5)

    def test_a_removed_host_is_left_alone(self, watched: Host, define: Define) -> None:
        Host.objects.filter(pk=watched.pk).update(gone_at=timezone.now())
        time.sleep(watcher.watch.LOOK_S + 0.5)

        define("unseen")

        time.sleep(1)
        assert not Domain.objects.exists()


class TestLosing:
    def test_a_killed_daemon_and_its_return(self, watched: Host, lab_host: LabHost, define: Define) -> None:
        survivor = define("survivor")
        survivor.virsh("start")
        running = Domain.objects.filter(uuid=survivor.uuid, state=DomainState.RUNNING)
        eventually(running.exists, within_s=2)

        lab_host.kill()
        try:
            eventually(partial(is_in, watched, HostState.DOWN), within_s=3)
            assert watched.error
            assert running.exists()
        finally:
            lab_host.revive()

        eventually(partial(is_in, watched, HostState.UP), within_s=35)
        assert watched.error == ""
        survivor.virsh("destroy")
        eventually(lambda: not running.exists(), within_s=2)

    def test_a_frozen_daemon_is_down_within_twenty_seconds_and_nobody_else_waits(
        self, watched: Host, lab_host: LabHost, second_lab_host: LabHost
    ) -> None:
        second = Host.objects.create(name="second", socket=str(second_lab_host.socket))
        eventually(partial(is_in, second, HostState.UP), within_s=5)

        lab_host.freeze()
        try:
            with machine(second_lab_host, "beside") as beside:
                eventually(Domain.objects.filter(uuid=beside.uuid).exists, within_s=2)
            eventually(partial(is_in, watched, HostState.DOWN), within_s=20)
            assert "answer" in watched.error
        finally:
            lab_host.thaw()

        eventually(partial(is_in, watched, HostState.UP), within_s=35)
        assert is_in(second, HostState.UP)

    def test_a_daemon_that_accepts_and_never_answers(
        self, lab: Host, lab_host: LabHost, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(watcher.watch, "STUCK_S", 1.0)
        monkeypatch.setattr(watcher.watch, "REPLACE_S", 3.0)
        lab_host.freeze()
        try:
            with watching():
                eventually(partial(is_in, lab, HostState.DOWN), within_s=5)
                assert "does not answer" in lab.error
                time.sleep(4)  # until the lane was replaced by another, which hangs too
                lab_host.thaw()
                eventually(partial(is_in, lab, HostState.UP), within_s=5)
        finally:
            lab_host.thaw()

    def test_no_daemon_at_all(self, transactional_db: None, tmp_path: Path) -> None:
        nowhere = Host.objects.create(name="nowhere", socket=str(tmp_path / "libvirt-sock"))

        with watching():
            eventually(partial(is_in, nowhere, HostState.DOWN), within_s=3)

        assert nowhere.error
        assert nowhere.seen_at is None
