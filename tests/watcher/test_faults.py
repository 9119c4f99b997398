"""Hosts on a network that fails in every way there is; beside each of them stands one that must not notice."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import pytest
from django.db import connection
from django.utils import timezone

from domains.models import Domain, DomainState
from hosts.models import Credentials, Host, HostState, Transport
from tests.eventually import eventually
from tests.hosts.reach import spoil
from tests.lab.host import LabHost
from tests.lab.lab import Lab
from tests.lab.machines import machine
from tests.lab.remote import RemoteHost
from tests.watcher.conftest import is_in

DOWN_S = 20.0
BACK_S = 10.0
# So often a machine comes and goes there: without a break that takes half a processor.
BREAK_S = 0.3
# The database, the panel and three hosts share two processors here.
GRACE_S = 5.0
STEADY_S = 11.0


@pytest.fixture
def remote(watched: Host, remote_host: RemoteHost) -> Host:
    """A host that is reached over TCP, watched beside `near`."""
    host = Host.objects.create(
        name="far", transport=Transport.TCP, address=remote_host.ip, insecure_since=timezone.now()
    )
    eventually(partial(is_in, host, HostState.UP), within_s=20)
    return host


@pytest.fixture
def over_ssh(watched: Host, remote_host: RemoteHost, lab: Lab) -> Host:
    """The same over ssh."""
    host = Host(name="far", transport=Transport.SSH, address=remote_host.ip, username="root")
    host.save()
    Credentials.objects.create(
        host=host, ssh_private_key=lab.ssh_key.read_text(), host_key=remote_host.host_key
    )
    eventually(partial(is_in, host, HostState.UP), within_s=20)
    return host


@contextmanager
def neighbour_undisturbed(lab_host: LabHost) -> Iterator[None]:
    """Meanwhile machines come and go on the host nearby; each is seen within two seconds."""
    done = threading.Event()
    late: list[float] = []

    def look() -> None:
        try:
            while not done.is_set():
                with machine(lab_host, "beside") as beside:
                    began = time.monotonic()
                    eventually(Domain.objects.filter(uuid=beside.uuid).exists, within_s=20)
                    late.append(time.monotonic() - began)
                done.wait(BREAK_S)
        finally:
            connection.close()

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
    assert late
    assert max(late) < 2


def went_down(host: Host) -> bool:
    """Whether it was ever told as lost since it came."""
    return bool(host.events.filter(kind__in=["down", "blocked"]).exists())


class TestLost:
    @pytest.mark.parametrize(
        "trouble",
        [RemoteHost.cut, RemoteHost.drop, RemoteHost.refuse, RemoteHost.freeze, RemoteHost.kill],
        ids=lambda trouble: str(trouble.__name__),
    )
    def test_it_is_told_soon_and_soon_forgotten(
        self, remote: Host, remote_host: RemoteHost, lab_host: LabHost, trouble: Callable[[RemoteHost], None]
    ) -> None:
        time.sleep(STEADY_S)
        with neighbour_undisturbed(lab_host):
            trouble(remote_host)
            eventually(partial(is_in, remote, HostState.DOWN), within_s=DOWN_S + GRACE_S)
            assert remote.error

            remote_host.restore()
            eventually(partial(is_in, remote, HostState.UP), within_s=BACK_S + GRACE_S)

    def test_a_host_behind_a_wall_that_swallows_ssh(
        self, over_ssh: Host, remote_host: RemoteHost, lab_host: LabHost
    ) -> None:
        time.sleep(STEADY_S)
        with neighbour_undisturbed(lab_host):
            remote_host.drop()
            eventually(partial(is_in, over_ssh, HostState.DOWN), within_s=DOWN_S + GRACE_S)

            remote_host.heal()
            eventually(partial(is_in, over_ssh, HostState.UP), within_s=BACK_S + GRACE_S)

    def test_a_reboot_of_the_host(self, remote: Host, remote_host: RemoteHost) -> None:
        with machine(remote_host, "web1") as made:
            made.virsh("start")
            row = Domain.objects.filter(uuid=made.uuid)
            eventually(row.filter(state=DomainState.RUNNING).exists, within_s=5)

            remote_host.reboot()

            eventually(row.filter(state=DomainState.OFF).exists, within_s=40)
            assert is_in(remote, HostState.UP)


class TestBlocked:
    def test_another_key_than_the_confirmed_one(self, over_ssh: Host, remote_host: RemoteHost) -> None:
        remote_host.change_host_key()
        remote_host.kill()
        remote_host.revive()

        eventually(partial(is_in, over_ssh, HostState.BLOCKED), within_s=30)
        assert "another key" in over_ssh.error
        Credentials.objects.get(host=over_ssh).delete()
        Credentials.objects.create(
            host=over_ssh,
            ssh_private_key=remote_host.lab.ssh_key.read_text(),
            host_key=remote_host.host_key,
        )
        eventually(partial(is_in, over_ssh, HostState.UP), within_s=15)

    def test_a_key_that_cannot_be_opened(
        self, watched: Host, over_ssh: Host, remote_host: RemoteHost, lab_host: LabHost
    ) -> None:
        with neighbour_undisturbed(lab_host):
            spoil(over_ssh)
            eventually(partial(is_in, over_ssh, HostState.BLOCKED), within_s=15)
            assert "sealing_keys" in over_ssh.error
            assert is_in(watched, HostState.UP)

            known = Credentials.objects.unopened().get(host=over_ssh)
            known.ssh_private_key = remote_host.lab.ssh_key.read_text()
            known.save()
            eventually(partial(is_in, over_ssh, HostState.UP), within_s=15)


class TestBadLines:
    def test_five_seconds_for_each_answer_is_slow_and_not_lost(
        self, remote: Host, remote_host: RemoteHost, lab_host: LabHost
    ) -> None:
        time.sleep(STEADY_S)
        with neighbour_undisturbed(lab_host):
            remote_host.slow(latency_ms=5000)
            end = time.monotonic() + 40
            while time.monotonic() < end:
                assert not went_down(remote), list(remote.events.values_list("kind", "text"))
                time.sleep(0.5)
            slow = Host.objects.filter(pk=remote.pk, latency_ms__gt=4000)
            eventually(slow.exists, within_s=60)

    def test_every_third_packet_lost_makes_no_host_that_comes_and_goes(
        self, remote: Host, remote_host: RemoteHost, lab_host: LabHost
    ) -> None:
        time.sleep(STEADY_S)
        with neighbour_undisturbed(lab_host):
            remote_host.slow(loss_percent=30)
            time.sleep(40)
            remote_host.heal()
        eventually(partial(is_in, remote, HostState.UP), within_s=BACK_S + GRACE_S)
        assert remote.events.filter(kind="down").count() <= 1
