"""Every transport reaches a real host, and whatever stands in the way is told as what it is."""

from __future__ import annotations

import fcntl
import os
import socket
import stat
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.utils import timezone
from pytest_django import DjangoCaptureOnCommitCallbacks

from hosts import connections, credentials, keys, ssh
from hosts.connections import act_as, borrow
from hosts.models import Credentials, Host, HostState
from hosts.tasks import tidy
from hypervisor.errors import AccessDenied, NotWhoItWas, Unreachable
from hypervisor.opener import Opener, left_behind
from tests.eventually import eventually
from tests.hosts.reach import over_ssh, over_tcp, over_tls
from tests.lab.certificates import Authority
from tests.lab.remote import RemoteHost

Reach = Callable[[RemoteHost], Host]

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def as_a_worker() -> Iterator[None]:
    act_as("worker")
    yield
    for host in Host.objects.all():
        connections.forget(host)


@contextmanager
def tarpit() -> Iterator[int]:
    """A port that accepts and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def hostname_by(host: Host) -> str:
    with borrow(host) as hypervisor:
        return hypervisor.host_facts().hostname


def why_not(host: Host, kind: type[Exception]) -> str:
    with pytest.raises(kind) as caught:
        hostname_by(host)
    assert type(caught.value) is kind
    return str(caught.value)


class TestReaching:
    @pytest.mark.parametrize("by", [over_ssh, over_tls, over_tcp])
    def test_by_each_transport(self, remote_host: RemoteHost, by: Reach) -> None:
        assert hostname_by(by(remote_host)) == remote_host.name

    def test_keeps_the_connection(self, remote_host: RemoteHost) -> None:
        host = over_ssh(remote_host)
        with borrow(host) as first, borrow(host) as second:
            assert first is second

    def test_opens_again_after_the_daemon_was_killed(self, remote_host: RemoteHost) -> None:
        host = over_ssh(remote_host)
        hostname_by(host)
        remote_host.kill()
        remote_host.revive()
        eventually(lambda: not connections._open[host.uuid].opener.alive, within_s=20)
        assert hostname_by(host) == remote_host.name

    def test_uses_no_connection_that_rests_on_other_credentials(self, remote_host: RemoteHost) -> None:
        host = over_ssh(remote_host)
        with borrow(host) as first:
            pass
        Credentials.objects.get(host=host).save()
        with borrow(host) as second:
            assert second is not first

    @pytest.mark.parametrize("change", [{"gone_at": timezone.now()}, {"state": HostState.BLOCKED}])
    def test_of_a_host_that_it_must_not_talk_to_any_more(
        self, remote_host: RemoteHost, change: dict[str, Any]
    ) -> None:
        host = over_tcp(remote_host)
        hostname_by(host)
        Host.objects.filter(pk=host.pk).update(**change)
        why_not(host, AccessDenied)

    def test_without_encryption_only_after_somebody_said_yes(self, remote_host: RemoteHost) -> None:
        assert "allowed" in why_not(over_tcp(remote_host, insecure_since=None), AccessDenied)

    @pytest.mark.parametrize(
        ("state", "kind"), [(HostState.DOWN, Unreachable), (HostState.BLOCKED, AccessDenied)]
    )
    def test_repeats_what_the_watcher_found(self, state: HostState, kind: type[Exception]) -> None:
        host = Host.objects.create(
            name="k", transport="tcp", address="192.0.2.1", state=state, error="It is asleep."
        )
        began = time.monotonic()
        assert why_not(host, kind) == "It is asleep."
        assert time.monotonic() - began < 0.5


class TestFiles:
    def test_are_for_their_owner_alone(self, remote_host: RemoteHost) -> None:
        folder = credentials.ensure(over_ssh(remote_host))
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert modes.pop("ssh") == 0o700
        assert set(modes.values()) == {0o600}

    def test_follow_the_database(self, remote_host: RemoteHost) -> None:
        host = over_ssh(remote_host)
        folder = credentials.ensure(host)
        known = Credentials.objects.get(host=host)
        known.host_key = "ssh-ed25519 AAAA"
        known.save()
        assert credentials.ensure(host) == folder
        assert "AAAA" in (folder / "known_hosts").read_text()

    def test_are_of_one_state_of_the_database_for_whoever_had_to_wait(
        self, remote_host: RemoteHost, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        host = over_ssh(remote_host)
        known = Credentials.objects.get(host=host)
        known.host_key = "ssh-ed25519 AAAA"
        monkeypatch.setattr(fcntl, "flock", lambda *_: known.save())
        folder = credentials.ensure(host)
        assert "AAAA" in (folder / "known_hosts").read_text()

    def test_go_with_the_host(
        self, remote_host: RemoteHost, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
    ) -> None:
        host = over_ssh(remote_host)
        folder = credentials.ensure(host)
        with django_capture_on_commit_callbacks(execute=True):
            credentials.wipe(host)
        assert not folder.exists()
        assert not Credentials.objects.filter(host=host).exists()

    def test_of_removed_hosts_are_wiped_by_the_clock(self, remote_host: RemoteHost) -> None:
        gone, there = over_ssh(remote_host), over_ssh(remote_host)
        folders = [credentials.ensure(host) for host in (gone, there)]
        Host.objects.filter(pk=gone.pk).update(gone_at=timezone.now())
        tidy()
        assert [folder.exists() for folder in folders] == [False, True]

    def test_are_sealed_in_the_database(self, remote_host: RemoteHost) -> None:
        host = over_ssh(remote_host)
        rows = Credentials.objects.filter(host=host).extra(select={"raw": "ssh_private_key"})
        assert "PRIVATE KEY" not in rows.values_list("raw", flat=True)[0]

    def test_hold_nothing_of_the_user_s(
        self, remote_host: RemoteHost, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """What ssh says it goes by (`ssh -G`) names our files alone, whatever agent there is."""
        monkeypatch.setenv("SSH_AUTH_SOCK", "/tmp/agent")
        monkeypatch.setenv("SSH_ASKPASS", "/bin/false")
        argv = ssh.command(over_ssh(remote_host), "-G")
        options = dict(
            line.split(" ", 1) for line in ssh.execute(argv, deadline_s=10).output.splitlines() if " " in line
        )
        folder = argv[0].removesuffix("/ssh")
        assert options["identityfile"] == f"{folder}/key"
        assert options["userknownhostsfile"] == f"{folder}/known_hosts"
        assert options["identityagent"] == options["globalknownhostsfile"] == "none"
        assert options["stricthostkeychecking"] == "true"
        assert options["batchmode"] == options["identitiesonly"] == "yes"
        assert options["forwardagent"] == options["controlmaster"].replace("false", "no") == "no"


class TestSsh:
    def test_shows_the_host_s_key_and_its_fingerprint(self, remote_host: RemoteHost) -> None:
        shown = ssh.scan_host_key(remote_host.ip)
        assert str(shown) == remote_host.host_key
        said = remote_host.exec("ssh-keygen", "-l", "-f", "/etc/libvirt/ssh/host_key.pub")
        assert shown.fingerprint in said

    def test_signs_in_with_a_key_made_here(self, remote_host: RemoteHost) -> None:
        pair = keys.generate_key_pair("panel")
        host = over_ssh(remote_host)
        Credentials.objects.filter(host=host).update(ssh_private_key=pair.private)
        remote_host.authorize(pair.public)
        try:
            assert ssh.run(host, ["hostname"], deadline_s=20).strip() == remote_host.name
        finally:
            remote_host.deauthorize()

    def test_tells_a_command_that_fails_or_floods(self, remote_host: RemoteHost) -> None:
        host = over_ssh(remote_host)
        with pytest.raises(ssh.CommandFailed, match="no such luck"):
            ssh.run(host, ["sh", "-c", "echo no such luck >&2; exit 3"], deadline_s=20)
        with pytest.raises(ssh.CommandFailed, match="more than"):
            ssh.run(host, ["cat", "/dev/zero"], deadline_s=20)
        with pytest.raises(Unreachable):
            ssh.run(host, ["sleep", "60"], deadline_s=1)

    def test_that_does_not_know_the_panel_s_key(self, remote_host: RemoteHost) -> None:
        host = over_ssh(remote_host)
        Credentials.objects.filter(host=host).update(ssh_private_key=keys.generate_key_pair("x").private)
        assert "public key" in why_not(host, AccessDenied)

    def test_with_another_key_than_the_confirmed_one(self, remote_host: RemoteHost) -> None:
        host = over_ssh(remote_host)
        Credentials.objects.filter(host=host).update(host_key=keys.generate_key_pair("").public.strip())
        why = why_not(host, NotWhoItWas)
        assert "another key" in why
        assert keys.HostKey.parse(remote_host.host_key).fingerprint in why

    def test_whose_key_nobody_confirmed(self, remote_host: RemoteHost) -> None:
        host = over_ssh(remote_host)
        Credentials.objects.filter(host=host).update(host_key="")
        assert "not been confirmed" in why_not(host, NotWhoItWas)

    def test_where_libvirt_does_not_run(self, remote_host: RemoteHost) -> None:
        host = over_ssh(remote_host)
        remote_host.kill()
        assert "SSH works, but libvirt" in why_not(host, Unreachable)

    def test_that_refuses(self, remote_host: RemoteHost) -> None:
        assert "refused" in why_not(over_ssh(remote_host, port=2), Unreachable)

    def test_of_an_unknown_name(self, remote_host: RemoteHost) -> None:
        assert "not known" in why_not(over_ssh(remote_host, address="kvm9.invalid"), Unreachable)

    def test_that_is_a_black_hole(self, remote_host: RemoteHost) -> None:
        remote_host.drop()
        assert "does not answer" in why_not(over_ssh(remote_host), Unreachable)

    def test_that_says_nothing(self, remote_host: RemoteHost) -> None:
        with tarpit() as port:
            assert "not as SSH" in why_not(over_ssh(remote_host, address="127.0.0.1", port=port), Unreachable)

    def test_whose_libvirtd_stopped_is_given_up_and_its_ssh_ended(self, remote_host: RemoteHost) -> None:
        remote_host.freeze()
        opener = Opener(connections.prepared_address(over_ssh(remote_host)))
        with pytest.raises(Unreachable):
            opener.open(3.0)
        assert left_behind() == 0
        assert children() == []


class TestTls:
    @pytest.fixture(autouse=True)
    def certificates(self, remote_host: RemoteHost) -> Iterator[None]:
        yield
        remote_host.use_certificate(remote_host.lab.authority.server(remote_host.ip, remote_host.name))

    def test_of_another_authority(self, remote_host: RemoteHost) -> None:
        host = over_tls(remote_host, authority=Authority("another"))
        assert "not signed by the authority" in why_not(host, NotWhoItWas)

    def test_that_has_expired(self, remote_host: RemoteHost) -> None:
        remote_host.use_certificate(remote_host.lab.authority.server(remote_host.ip, expired=True))
        assert "expired" in why_not(over_tls(remote_host), NotWhoItWas)

    def test_for_another_name(self, remote_host: RemoteHost) -> None:
        remote_host.use_certificate(remote_host.lab.authority.server("elsewhere.example.org", "192.0.2.7"))
        assert "another address" in why_not(over_tls(remote_host), NotWhoItWas)

    def test_that_does_not_take_ours(self, remote_host: RemoteHost) -> None:
        host = over_tls(remote_host)
        stranger = Authority("another").client()
        Credentials.objects.filter(host=host).update(
            client_certificate=stranger.certificate, client_key=stranger.key
        )
        assert "does not accept" in why_not(host, AccessDenied)

    def test_without_certificates(self, remote_host: RemoteHost) -> None:
        host = over_tls(remote_host)
        Credentials.objects.filter(host=host).delete()
        assert "not been given" in why_not(host, AccessDenied)

    def test_where_nothing_speaks_it(self, remote_host: RemoteHost) -> None:
        assert why_not(over_tls(remote_host, port=22), Unreachable)


class TestSilence:
    """Nobody waits longer than the deadline, and nothing stays behind."""

    @pytest.mark.parametrize("by", [over_tls, over_tcp])
    @pytest.mark.parametrize("fault", ["freeze", "drop", "refuse", "kill"])
    def test_of_a_daemon(
        self, remote_host: RemoteHost, by: Reach, fault: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("hypervisor.connection.OPEN_S", 3.0)
        host = by(remote_host)
        getattr(remote_host, fault)()
        began = time.monotonic()
        why_not(host, Unreachable)
        assert time.monotonic() - began < 6

    def test_leaves_nothing_after_a_thousand_failures(self, remote_host: RemoteHost) -> None:
        nothing = over_tcp(remote_host, port=2)
        stranger = over_ssh(remote_host)
        Credentials.objects.filter(host=stranger).update(host_key="")
        why_not(nothing, Unreachable)
        why_not(stranger, NotWhoItWas)
        threads, files = threading.active_count(), open_files()
        with tarpit() as port:
            silent = over_ssh(remote_host, address="127.0.0.1", port=port)
            silent_too = over_tcp(remote_host, address="127.0.0.1", port=port)
            for host in (silent, silent_too):
                opener = Opener(connections.prepared_address(host))
                with pytest.raises(Unreachable):
                    opener.open(1.0 if host is silent else connections.OPEN_S)
        for _ in range(20):
            why_not(stranger, NotWhoItWas)
        for _ in range(980 - 2):
            why_not(nothing, Unreachable)

        eventually(lambda: threading.active_count() <= threads, within_s=10)
        assert open_files() <= files
        assert children() == []
        assert left_behind() == 0


def open_files() -> int:
    return len(os.listdir("/proc/self/fd"))


def children() -> list[str]:
    """Processes of ours that run ssh for the panel of this test run."""
    found = []
    for children in Path("/proc/self/task").glob("*/children"):
        with suppress(FileNotFoundError, ProcessLookupError):  # a thread or a process that ended meanwhile
            for pid in children.read_text().split():
                command = Path(f"/proc/{pid}/cmdline").read_bytes().decode()
                if f"{settings.STATE_DIR}/hosts" in command:
                    found.append(command)
    return found
