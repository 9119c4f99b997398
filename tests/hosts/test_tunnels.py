"""One ssh per host, which leads to what listens on the host alone, and never outlives its purpose."""

from __future__ import annotations

import fcntl
import os
import signal
import socket
import stat
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.utils import timezone

from hosts import tunnels
from hosts.models import Credentials, Host
from hypervisor.errors import NotWhoItWas, Unreachable
from launcher import tunnels as at_the_end
from launcher.layout import Layout
from tests.eventually import eventually
from tests.hosts.reach import over_ssh, over_tcp
from tests.lab.remote import RemoteHost

pytestmark = pytest.mark.django_db

HERE = "127.0.0.1"
SSHD = 22
"""sshd answers there with its version: something to reach on any host."""


@pytest.fixture(autouse=True)
def nothing_left() -> Iterator[None]:
    yield
    for host in Host.objects.all():
        tunnels.close(host.pk)
    eventually(lambda: not masters(), within_s=5)


@pytest.fixture
def host(remote_host: RemoteHost) -> Host:
    return over_ssh(remote_host)


def masters() -> list[int]:
    """Processes of ssh that lead from this panel to hosts."""
    sign = f"{settings.STATE_DIR}/run/s"
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().decode().split("\0")
        except (FileNotFoundError, ProcessLookupError):
            continue
        if "-M" in words and any(word.startswith(sign) for word in words):
            found.append(int(path.parent.name))
    return found


def banner(path: Path) -> bytes:
    with socket.socket(socket.AF_UNIX) as line:
        line.settimeout(20)
        line.connect(str(path))
        return line.recv(4)


class TestOpening:
    def test_leads_to_the_host_s_own_address(self, host: Host) -> None:
        path = tunnels.open_tunnel(host, HERE, SSHD)
        assert banner(path) == b"SSH-"
        assert stat.S_IMODE(path.stat().st_mode) == 0o600

    def test_shares_one_ssh(self, host: Host) -> None:
        paths = {tunnels.open_tunnel(host, address, SSHD) for address in (HERE, HERE, "::1", "127.0.0.2")}
        assert len(paths) == 3
        assert {banner(path) for path in paths} == {b"SSH-"}
        assert len(masters()) == 1

    def test_opens_a_killed_one_again(self, host: Host) -> None:
        tunnels.open_tunnel(host, HERE, SSHD)
        (first,) = masters()
        os.kill(first, signal.SIGKILL)
        eventually(lambda: not masters(), within_s=5)

        assert banner(tunnels.open_tunnel(host, HERE, SSHD)) == b"SSH-"
        assert len(masters()) == 1

    def test_takes_no_way_for_granted(self, remote_host: RemoteHost) -> None:
        with pytest.raises(tunnels.NoWay):
            tunnels.open_tunnel(over_tcp(remote_host), HERE, 5900)
        with pytest.raises(tunnels.NoWay):
            tunnels.open_tunnel(over_ssh(remote_host), "127.0.0.1:22 evil", 5900)

    def test_goes_by_ssh_also_where_libvirt_is_reached_otherwise(self, remote_host: RemoteHost) -> None:
        host = over_tcp(remote_host, username="root")
        key = remote_host.lab.ssh_key.read_text()
        Credentials.objects.create(host=host, ssh_private_key=key, host_key=remote_host.host_key)
        assert banner(tunnels.open_tunnel(host, HERE, SSHD)) == b"SSH-"

    def test_tells_why_there_is_none(self, host: Host, remote_host: RemoteHost) -> None:
        Credentials.objects.filter(host=host).update(host_key="ssh-ed25519 AAAA")
        with pytest.raises(NotWhoItWas):
            tunnels.open_tunnel(host, HERE, SSHD)
        with pytest.raises(Unreachable):
            tunnels.open_tunnel(over_ssh(remote_host, port=2), HERE, SSHD)


class TestStalling:
    """An SSH server that lets everybody wait must not take the panel's workers along."""

    @pytest.fixture
    def stalled(self, remote_host: RemoteHost, monkeypatch: pytest.MonkeyPatch) -> Iterator[Host]:
        monkeypatch.setattr(tunnels, "START_S", 2.0)
        with socket.create_server((HERE, 0)) as silent:
            yield over_ssh(remote_host, address=HERE, port=silent.getsockname()[1])

    def seconds_until_refused(self, host: Host) -> float:
        began = time.monotonic()
        with pytest.raises(Unreachable, match="does not answer"):
            tunnels.open_tunnel(host, HERE, SSHD)
        return time.monotonic() - began

    def test_is_waited_for_once_and_then_refused_at_once(self, stalled: Host) -> None:
        assert self.seconds_until_refused(stalled) >= 2
        assert self.seconds_until_refused(stalled) < 1

    def test_is_tried_again_after_a_while_and_after_a_change(
        self, stalled: Host, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.seconds_until_refused(stalled)
        Credentials.objects.get(host=stalled).save()
        assert self.seconds_until_refused(stalled) >= 2
        monkeypatch.setattr(tunnels, "SPARED_S", 0.0)
        assert self.seconds_until_refused(stalled) >= 2

    def test_keeps_one_worker_and_not_the_next(self, host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(tunnels, "WAIT_S", 0.1)
        with (Path(settings.STATE_DIR) / "run" / f"s{host.pk}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            with pytest.raises(Unreachable, match="keeps the panel waiting"):
                tunnels.open_tunnel(host, HERE, SSHD)
        assert banner(tunnels.open_tunnel(host, HERE, SSHD)) == b"SSH-"


class TestEnding:
    def test_by_itself_when_nothing_goes_through(self, host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
        # On a busy machine one second is over before the first forward.
        monkeypatch.setattr(tunnels, "IDLE_S", 3)
        tunnels.open_tunnel(host, HERE, SSHD)
        eventually(lambda: not masters(), within_s=20)

    @pytest.mark.parametrize(
        "change", [{"gone_at": timezone.now()}, {"address": "192.0.2.9"}, {"username": "nobody"}]
    )
    def test_with_what_it_was_made_for(self, host: Host, change: dict[str, Any]) -> None:
        tunnels.open_tunnel(host, HERE, SSHD)
        tunnels.close_unwanted()
        assert len(masters()) == 1

        Host.objects.filter(pk=host.pk).update(**change)
        tunnels.close_unwanted()
        eventually(lambda: not masters(), within_s=5)
        assert not list((Path(settings.STATE_DIR) / "run").glob(f"t{host.pk}-*"))

    def test_with_the_credentials_it_was_opened_with(self, host: Host) -> None:
        tunnels.open_tunnel(host, HERE, SSHD)
        Credentials.objects.get(host=host).save()
        tunnels.close_unwanted()
        eventually(lambda: not masters(), within_s=5)

    def test_with_the_panel_and_with_no_other(self, host: Host, tmp_path: Path) -> None:
        tunnels.open_tunnel(host, HERE, SSHD)

        at_the_end.close(layout_in(tmp_path))
        assert len(masters()) == 1
        at_the_end.close(layout_in(Path(settings.STATE_DIR)))
        eventually(lambda: not masters(), within_s=5)


def layout_in(state: Path) -> Layout:
    return Layout(root=state, state=state, port=1, hostnames=(), redis_url="", libvirt_socket="")
