"""Hosts come, go, die and hang; the panel says so, and each is alone with its troubles."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from uuid import UUID

import pytest
from django.utils import timezone

import networks.inventory
import watcher.following
import watcher.lane
import watcher.watch
from core.sealed import Unsealable
from domains.models import Domain, DomainState
from hosts import credentials
from hosts.models import Host, HostState, Transport
from hypervisor.facts import NetworkFacts
from networks.models import Network
from storage.models import Pool, Volume
from tests.eventually import eventually
from tests.lab.host import LabHost
from tests.lab.machines import machine
from tests.watcher.conftest import Define, is_in, watching
from watcher.claims import Claims, Held
from watcher.models import Claim


@pytest.fixture(scope="module")
def second_lab_host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabHost]:
    with LabHost(tmp_path_factory.mktemp("second")) as host:
        yield host


@pytest.fixture
def second(watched: Host, second_lab_host: LabHost) -> Host:
    """One more, connected."""
    host = Host.objects.create(name="second", socket=str(second_lab_host.socket))
    eventually(partial(is_in, host, HostState.UP), within_s=15)
    return host


class TestConnecting:
    def test_everything_is_read(self, watched: Host) -> None:
        pool = eventually(lambda: Pool.objects.filter(host=watched, name="default").first(), within_s=5)

        assert pool.usable
        assert watched.cpus > 0
        assert watched.libvirt_version
        assert watched.latency_ms is not None
        assert Network.objects.filter(host=watched, name="default", active=True).exists()
        assert watched.events.get().kind == "connected"

    def test_files_that_people_put_into_a_pool_are_found(self, near: Host, lab_host: LabHost) -> None:
        file = lab_host.pool_path / "beside.iso"
        file.write_bytes(bytes(1000))
        try:
            with watching():
                eventually(
                    lambda: Volume.objects.filter(pool__host=near, name="beside.iso").exists(), within_s=20
                )
        finally:
            file.unlink()

    def test_a_host_added_later_is_taken_up(self, second: Host) -> None:
        assert second.up

    def test_a_removed_host_is_left_alone(self, watched: Host, define: Define) -> None:
        Host.objects.filter(pk=watched.pk).update(gone_at=timezone.now())
        time.sleep(watcher.watch.LOOK_S + 1)

        define("unseen")

        time.sleep(1)
        assert not Domain.objects.exists()

    def test_a_changed_address_is_noticed(self, watched: Host, tmp_path: Path) -> None:
        socket = watched.socket
        Host.objects.filter(pk=watched.pk).update(socket=str(tmp_path / "none"))
        eventually(partial(is_in, watched, HostState.DOWN), within_s=10)

        Host.objects.filter(pk=watched.pk).update(socket=socket)
        eventually(partial(is_in, watched, HostState.UP), within_s=10)


class TestLosing:
    def test_a_killed_daemon_and_its_return(self, watched: Host, lab_host: LabHost, define: Define) -> None:
        survivor = define("survivor")
        survivor.virsh("start")
        running = Domain.objects.filter(uuid=survivor.uuid, state=DomainState.RUNNING)
        eventually(running.exists, within_s=2)

        lab_host.kill()
        try:
            eventually(partial(is_in, watched, HostState.DOWN), within_s=5)
            assert watched.error
            assert watched.down_since is not None
            assert running.exists()
        finally:
            lab_host.revive()

        eventually(partial(is_in, watched, HostState.UP), within_s=15)
        assert watched.error == ""
        assert Host.objects.filter(pk=watched.pk, down_since=None).exists()
        survivor.virsh("destroy")
        eventually(lambda: not running.exists(), within_s=2)

    def test_a_daemon_that_restarts_is_no_host_that_was_lost(
        self, watched: Host, lab_host: LabHost, define: Define, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """It refuses connections for a second; nobody is told as long as that may be a restart."""
        monkeypatch.setattr(watcher.lane, "STEADY_S", 0.5)
        monkeypatch.setattr(watcher.lane, "RESTART_S", 10.0)
        monkeypatch.setattr(watcher.following, "PULSE_S", 0.5)
        time.sleep(6)

        again = "exec libvirtd -d -p /run/libvirtd.pid"
        lab_host.exec("sh", "-c", f"kill -9 $(cat /run/libvirtd.pid); sleep 1; {again}")

        eventually(watched.events.filter(kind="reconnected").exists, within_s=15)
        assert not watched.events.filter(kind="down").exists()
        machine = define("web1")
        eventually(Domain.objects.filter(uuid=machine.uuid).exists, within_s=5)

    def test_a_frozen_daemon_is_down_within_twenty_seconds_and_nobody_else_waits(
        self, watched: Host, second: Host, lab_host: LabHost, second_lab_host: LabHost
    ) -> None:
        lab_host.freeze()
        try:
            began = time.monotonic()
            while not is_in(watched, HostState.DOWN):
                assert time.monotonic() - began < 20
                with machine(second_lab_host, "beside") as beside:
                    eventually(Domain.objects.filter(uuid=beside.uuid).exists, within_s=2)
            assert "answer" in watched.error
        finally:
            lab_host.thaw()

        eventually(partial(is_in, watched, HostState.UP), within_s=10)
        assert is_in(second, HostState.UP)

    def test_a_daemon_that_accepts_and_never_answers(
        self, near: Host, lab_host: LabHost, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(watcher.lane, "OPEN_S", 1.0)
        lab_host.freeze()
        try:
            with watching():
                eventually(partial(is_in, near, HostState.DOWN), within_s=10)
                assert near.error
                lab_host.thaw()
                eventually(partial(is_in, near, HostState.UP), within_s=10)
        finally:
            lab_host.thaw()

    def test_no_daemon_at_all(self, transactional_db: None, tmp_path: Path) -> None:
        nowhere = Host.objects.create(name="nowhere", socket=str(tmp_path / "libvirt-sock"))

        with watching():
            eventually(partial(is_in, nowhere, HostState.DOWN), within_s=10)

        assert nowhere.error
        assert nowhere.seen_at is None


class TestThePanelsOwnFailures:
    def test_a_host_that_cannot_be_written_down_is_not_called_up(
        self, watched: Host, second: Host, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        write = networks.inventory.record_networks

        def fail(host: Host, facts: list[NetworkFacts]) -> None:
            if host.pk == second.pk:
                raise OverflowError
            write(host, facts)

        with monkeypatch.context() as patch:
            patch.setattr(networks.inventory, "record_networks", fail)
            Host.objects.filter(pk=second.pk).update(port=1)  # a new connection, and all is read anew
            eventually(partial(is_in, second, HostState.DOWN), within_s=15)
            assert "panel itself" in second.error
            assert is_in(watched, HostState.UP)

        eventually(partial(is_in, second, HostState.UP), within_s=15)

    def test_a_look_that_fails_ends_nothing(
        self, watched: Host, define: Define, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        failed = threading.Event()

        def fail(claims: Claims) -> dict[UUID, Held]:
            failed.set()
            raise Unsealable

        with monkeypatch.context() as patch:
            patch.setattr(Claims, "look", fail)
            assert failed.wait(10)
            machine = define("web1")
            eventually(Domain.objects.filter(uuid=machine.uuid).exists, within_s=5)

        Host.objects.filter(pk=watched.pk).update(gone_at=timezone.now())
        eventually(Claim.objects.filter(watcher=None).exists, within_s=10)

    def test_keys_of_removed_hosts_are_thrown_away_where_only_a_watcher_runs(
        self, transactional_db: None
    ) -> None:
        columns = {"transport": Transport.SSH, "address": "192.0.2.1", "gone_at": timezone.now()}
        folder = credentials.ensure(Host.objects.create(name="gone", **columns))

        with watching(remote_only=True):
            eventually(lambda: not folder.exists(), within_s=10)


class TestTwoEntriesForOneMachine:
    def test_the_second_is_blocked_and_says_which_is_the_first(
        self, watched: Host, define: Define, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(watcher.lane, "BLOCKED_S", 2.0)
        again = Host.objects.create(name="again", socket=f"{watched.socket.replace('/run/', '/./run/')}")

        eventually(partial(is_in, again, HostState.BLOCKED), within_s=15)
        assert watched.name in again.error
        assert is_in(watched, HostState.UP)
        machine = define("web1")
        eventually(Domain.objects.filter(uuid=machine.uuid, host=watched).exists, within_s=3)

        Host.objects.filter(pk=watched.pk).update(gone_at=timezone.now())
        eventually(partial(is_in, again, HostState.UP), within_s=15)
        eventually(Domain.objects.present().filter(uuid=machine.uuid, host=again).exists, within_s=5)
