"""Hosts on a network of their own: how they are reached, how they break, and that nothing of them stays."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.eventually import eventually
from tests.lab.certificates import Authority
from tests.lab.guest import tiny_guest
from tests.lab.lab import Lab
from tests.lab.machines import machine
from tests.lab.namespace import LabError, run
from tests.lab.remote import TCP_PORT, RemoteHost
from tests.lab.test_host import interfaces, processes_about


@pytest.fixture
def other_lab(tmp_path: Path) -> Iterator[Lab]:
    with Lab(tmp_path) as lab:
        lab.up(1)
        yield lab


def uplink_of(prefix: str) -> int:
    """The number of the interface by which this machine reaches the lab with those addresses."""
    return socket.if_nametoindex(f"kvmnet{prefix.rpartition('.')[2]}")


def virsh(host: RemoteHost, transport: str, *command: str, timeout_s: float = 60) -> str:
    """On the machine, over that transport."""
    return run(["virsh", "-q", "-c", host.uri(transport), *command], timeout_s=timeout_s)


def knock(host: RemoteHost, timeout_s: float = 30) -> float:
    """Seconds until libvirtd's port took a connection."""
    began = time.monotonic()
    with socket.create_connection((host.ip, TCP_PORT), timeout=timeout_s):
        return time.monotonic() - began


class TestHosts:
    @pytest.mark.parametrize("transport", ["tcp", "tls", "ssh"])
    def test_are_reached(self, lab: Lab, transport: str) -> None:
        names = [virsh(host, transport, "hostname").strip() for host in lab.hosts]

        assert names == ["kvm1", "kvm2"]

    def test_have_an_identity_a_pool_and_a_network_each(self, lab: Lab) -> None:
        one, two = lab.hosts

        assert one.host_uuid != two.host_uuid
        assert f"<uuid>{one.host_uuid}</uuid>" in one.virsh("capabilities")
        for host in lab.hosts:
            assert "default" in host.virsh("pool-list", "--name")
            assert "default" in host.virsh("net-list", "--name")
        one.virsh("vol-create-as", "default", "mine.raw", "1M")
        assert one.outside(one.pool_path / "mine.raw").exists()
        assert "mine.raw" not in two.virsh("vol-list", "default")
        one.virsh("vol-delete", "mine.raw", "default")

    def test_have_people_of_their_own(self, lab: Lab, remote_host: RemoteHost) -> None:
        remote_host.exec("useradd", "somebody-of-the-lab")

        assert "somebody-of-the-lab" not in Path("/etc/passwd").read_text()
        with pytest.raises(LabError):
            lab.hosts[1].exec("id", "somebody-of-the-lab")
        remote_host.exec("userdel", "somebody-of-the-lab")

    def test_send_running_machines_to_each_other(self, lab: Lab) -> None:
        one, two = lab.hosts
        with machine(one, "wanderer", guest=tiny_guest()) as wanderer:
            wanderer.virsh("start")
            one.virsh("migrate", "--live", "--undefinesource", "wanderer", two.uri("tcp"))

            assert "wanderer" in two.virsh("list", "--name")
            assert "wanderer" not in one.virsh("list", "--all", "--name")
            two.virsh("destroy", "wanderer")

    def test_are_the_same_after_a_reboot(self, remote_host: RemoteHost) -> None:
        with machine(remote_host, "kept") as kept:
            kept.virsh("start")
            known = remote_host.host_uuid, remote_host.host_key, remote_host.ip
            remote_host.reboot()

            assert kept.virsh("domstate").strip() == "shut off"
            assert (remote_host.host_uuid, remote_host.host_key, remote_host.ip) == known
            knock(remote_host)

    def test_can_have_a_wrong_clock(self, remote_host: RemoteHost) -> None:
        remote_host.set_clock(-90)
        seconds = float(virsh_date(remote_host))
        remote_host.set_clock(0)

        assert 80 < time.time() - seconds < 120
        assert abs(time.time() - float(virsh_date(remote_host))) < 30


def virsh_date(host: RemoteHost) -> str:
    return host.exec("date", "-u", "+%s.%N")


class TestLine:
    @pytest.mark.parametrize(
        ("fault", "error"),
        [
            (RemoteHost.cut, OSError),
            (RemoteHost.drop, TimeoutError),
            (RemoteHost.refuse, ConnectionRefusedError),
        ],
    )
    def test_breaks_and_heals(
        self, remote_host: RemoteHost, fault: Callable[[RemoteHost], None], error: type[OSError]
    ) -> None:
        fault(remote_host)
        with pytest.raises(error):
            knock(remote_host, timeout_s=2)
        assert remote_host.trouble()

        remote_host.heal()
        eventually(lambda: reachable(remote_host), within_s=30)
        assert not remote_host.trouble()

    def test_gets_slow(self, remote_host: RemoteHost) -> None:
        remote_host.slow(latency_ms=400)
        knock(remote_host)  # asks for the hardware address first, which takes a round trip of its own

        assert 0.4 <= knock(remote_host) < 5
        remote_host.heal()
        assert min(knock(remote_host) for _ in range(3)) < 0.4

    def test_loses_some(self, remote_host: RemoteHost) -> None:
        remote_host.slow(loss_percent=50)

        # TCP sends again after a second
        eventually(lambda: knock(remote_host, timeout_s=60) > 0.5, within_s=60)

    def test_loses_all(self, remote_host: RemoteHost) -> None:
        remote_host.slow(loss_percent=100)

        assert not reachable(remote_host)


def reachable(host: RemoteHost) -> bool:
    try:
        knock(host, timeout_s=2)
    except OSError:
        return False
    return True


class TestDaemon:
    def test_frozen_takes_connections_and_says_nothing(self, remote_host: RemoteHost) -> None:
        remote_host.freeze()
        knock(remote_host)
        with pytest.raises(subprocess.TimeoutExpired):
            virsh(remote_host, "tcp", "list", timeout_s=3)
        assert remote_host.trouble() == "libvirtd frozen"

        remote_host.thaw()
        virsh(remote_host, "tcp", "list")

    def test_killed_leaves_its_machines_running(self, remote_host: RemoteHost) -> None:
        with machine(remote_host, "survivor") as survivor:
            survivor.virsh("start")
            remote_host.kill()
            assert remote_host.trouble() == "libvirtd killed"
            with pytest.raises(LabError, match="refused"):
                virsh(remote_host, "tcp", "list")

            remote_host.revive()
            assert survivor.virsh("domstate").strip() == "running"


class TestIdentity:
    def test_of_ssh_changes(self, remote_host: RemoteHost) -> None:
        before = remote_host.host_key
        remote_host.change_host_key()
        scanned = eventually(lambda: scan_host_key(remote_host), within_s=30)

        assert remote_host.host_key != before
        assert remote_host.host_key in scanned

    def test_of_who_comes_in_is_checked(self, remote_host: RemoteHost, tmp_path: Path) -> None:
        key = tmp_path / "key"
        run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)])
        options = [f"IdentityFile={key}", "IdentitiesOnly=yes", "IdentityAgent=none", "BatchMode=yes"]
        options += ["StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "LogLevel=ERROR"]
        ssh = ["ssh", "-F", "none", *(f"-o{option}" for option in options), f"root@{remote_host.ip}"]
        with pytest.raises(LabError, match="Permission denied"):
            run([*ssh, "hostname"])
        remote_host.authorize(key.with_suffix(".pub").read_text())
        assert run([*ssh, "hostname"]).strip() == "kvm1"
        remote_host.deauthorize()
        with pytest.raises(LabError, match="Permission denied"):
            run([*ssh, "hostname"])

    def test_of_tls_is_right_expired_of_another_name_or_of_nobody_known(
        self, lab: Lab, remote_host: RemoteHost
    ) -> None:
        stranger = Authority("Stranger")
        wrong = {
            "expired": lab.authority.server(remote_host.ip, expired=True),
            "name": lab.authority.server("elsewhere.example"),
            "authority": stranger.server(remote_host.ip),
        }
        for certificate in wrong.values():
            remote_host.use_certificate(certificate)
            with pytest.raises(LabError):
                virsh(remote_host, "tls", "hostname")
        right = lab.authority.server(remote_host.ip)
        remote_host.use_certificate(right, authority=stranger.certificate)
        with pytest.raises(LabError):
            virsh(remote_host, "tls", "hostname")
        remote_host.use_certificate(right)
        assert virsh(remote_host, "tls", "hostname").strip() == "kvm1"


def scan_host_key(host: RemoteHost) -> str:
    return run(["sh", "-c", f"ssh-keyscan -t ed25519 {host.ip} 2>/dev/null || true"])


class TestEnd:
    def test_of_one_lab_is_not_that_of_another(self, lab: Lab, other_lab: Lab) -> None:
        assert lab.prefix != other_lab.prefix
        knock(other_lab.hosts[0])
        other_lab.down()

        knock(lab.hosts[0])

    def test_leaves_no_process_and_no_interface(self, other_lab: Lab) -> None:
        uplink = uplink_of(other_lab.prefix)
        with machine(other_lab.hosts[0], "small") as small:
            small.virsh("start")
            other_lab.hosts[0].slow(latency_ms=10)
            assert uplink in interfaces()
            assert processes_about(other_lab.root)
            other_lab.down()
            eventually(lambda: not processes_about(other_lab.root), within_s=10)
            eventually(lambda: uplink not in interfaces(), within_s=10)

    def test_comes_with_the_end_of_its_owner(self, tmp_path: Path) -> None:
        script = f"""
import time
from pathlib import Path
from tests.lab.lab import Lab
lab = Lab(Path({str(tmp_path)!r}))
lab.up(1)
print(lab.prefix, flush=True)
time.sleep(60)
"""
        with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as owner:
            assert owner.stdout is not None
            uplink = uplink_of(owner.stdout.readline().strip())
            assert uplink in interfaces()
            owner.send_signal(signal.SIGKILL)
        eventually(lambda: not processes_about(tmp_path), within_s=20)
        eventually(lambda: uplink not in interfaces(), within_s=20)


class TestCommand:
    def test_keeps_hosts_until_they_are_taken_down(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("PANEL_STATE_DIR", str(tmp_path))

        def lab(*arguments: str) -> str:
            return run([sys.executable, "-m", "tests.lab", *arguments])

        try:
            assert "kvm2" in lab("up", "2", "--unregistered")
            with pytest.raises(LabError, match="up already"):
                lab("up", "2")
            for fault, trouble in (("cut", "line cut"), ("freeze", "frozen"), ("drop", "firewall")):
                lab(fault, "1")
                assert trouble in lab("status").splitlines()[0]
            lab("heal", "1")
            lab("thaw", "1")
            lab("slow", "2", "20")
            assert lab("status").splitlines() == [
                line_of(tmp_path, 1, "up"),
                line_of(tmp_path, 2, "line bad"),
            ]
            assert lab("exec", "2", "hostname") == "kvm2\n"
            with pytest.raises(LabError, match="no host 7"):
                lab("cut", "7")
        finally:
            lab("down")
        assert not processes_about(tmp_path)
        with pytest.raises(LabError, match="not up"):
            lab("status")


def line_of(state: Path, number: int, told: str) -> str:
    prefix = (state / "lab" / "prefix").read_text()
    return f"kvm{number}  {prefix}.{10 + number}  {told}"
