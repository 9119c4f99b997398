"""A libvirt host that is reached over a network: its own address, sshd, TLS certificate and firewall."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.lab.certificates import Certificate
from tests.lab.daemon import QUICK, LibvirtHost
from tests.lab.namespace import LabError, run

if TYPE_CHECKING:
    from tests.lab.lab import Lab

TCP_PORT: Final = 16509
TLS_PORT: Final = 16514

# The network namespace needs a /sys that shows its own interfaces; no control groups are mounted there.
# /etc, /root and /home are layers over the machine's: people and keys made inside stay inside. Names are answered at
# once or not at all: libvirt asks for its own.
_INIT: Final = """
set -e
root=$1
hostname "$2"
mount -t proc proc /proc
umount -R -l /sys || true
mount -t sysfs sysfs /sys
for folder in etc root home; do
  mkdir -p "$root/layers/$folder" "$root/layers/.$folder"
  mount -t overlay overlay -o "lowerdir=/$folder,upperdir=$root/layers/$folder,workdir=$root/layers/.$folder" /$folder
done
cp "$root/hosts" /etc/hosts
: > /etc/resolv.conf
for pair in etc:/etc/libvirt lib:/var/lib/libvirt cache:/var/cache/libvirt log:/var/log/libvirt; do
  mount --bind "$root/${pair%%:*}" "${pair#*:}"
done
mount -t tmpfs tmpfs /run
mkdir /run/libvirt /run/sshd /run/lock
ip link set lo up
touch "$root/ready"
while :; do sleep 1000 & wait; done
"""

# With a certificate that is no good it shall start all the same: others are to find that out.
_LIBVIRTD_CONF: Final = """
listen_tcp = 1
listen_tls = 1
listen_addr = "{ip}"
auth_tcp = "none"
auth_unix_rw = "none"
unix_sock_group = "libvirt"
unix_sock_rw_perms = "0770"
key_file = "/etc/libvirt/pki/serverkey.pem"
cert_file = "/etc/libvirt/pki/servercert.pem"
ca_file = "/etc/libvirt/pki/cacert.pem"
tls_no_sanity_certificate = 1
"""

# See tests.lab.host for why root runs the guests. Others send migrating machines to `migration_host`.
_QEMU_CONF: Final = """
user = "root"
group = "root"
security_driver = "none"
stdio_handler = "file"
migration_address = "0.0.0.0"
migration_host = "{ip}"
"""

_SSHD_CONFIG: Final = """
HostKey /etc/libvirt/ssh/host_key
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
AuthorizedKeysFile /etc/libvirt/ssh/authorized_keys .ssh/authorized_keys
UsePAM no
StrictModes no
MaxStartups 100
PidFile /run/sshd.pid
Subsystem sftp internal-sftp
"""

# Every rule with our comment, as the command that takes it out again.
_OPEN_FIREWALL: Final = """
iptables -S INPUT | sed -n 's/^-A\\(.*--comment lab .*\\)/-D\\1/p' | xargs -rL1 iptables
"""

_CLOCK: Final = '#!/bin/sh\nexec /run/date -d "{offset_s} seconds" "$@"\n'


class RemoteHost(LibvirtHost):
    """Host `number` of a lab: libvirt on TCP (16509) and TLS (16514), sshd on 22 with `lab.ssh_key` for root."""

    def __init__(self, lab: Lab, number: int) -> None:
        super().__init__(lab.root / f"kvm{number}", namespaces=("-m", "-u", "-i", "-p", "-n"))
        self.name = f"kvm{number}"
        self.ip = f"{lab.prefix}.{10 + number}"
        # The same after a reboot: neighbours remember it.
        self.mac = f"52:54:00:d6:{int(lab.prefix.rpartition('.')[2]):02x}:{10 + number:02x}"
        self.lab = lab

    @property
    def pool_path(self) -> Path:
        """The directory of pool `default`: the same on all hosts, and yet another one on each."""
        return Path("/var/lib/libvirt/images")

    def outside(self, path: Path) -> Path:
        """How a file below /var/lib/libvirt or /etc/libvirt of this host is called on the machine."""
        for inside, folder in (("/var/lib/libvirt", "lib"), ("/etc/libvirt", "etc")):
            if path.is_relative_to(inside):
                return self.root / folder / path.relative_to(inside)
        raise LabError(f"{path} is the same inside and outside.")

    def uri(self, transport: str) -> str:
        """What to give to virsh on the machine, by `tcp`, `tls` or `ssh`. The panel builds its own."""
        match transport:
            case "tcp":
                return f"qemu+tcp://{self.ip}/system"
            case "tls":
                return f"qemu+tls://{self.ip}/system?pkipath={self.lab.pki}"
            case _:
                given = f"keyfile={self.lab.ssh_key}&no_verify=1&no_tty=1"
                return f"qemu+ssh://root@{self.ip}/system?{given}"

    def start(self) -> None:
        """Bring the host up, in about a second, and plug it into the lab's switch."""
        self.begin()
        self.finish()

    def begin(self) -> None:
        """The first half of `start`, without any waiting for libvirtd."""
        self._write_configuration(
            libvirtd=_LIBVIRTD_CONF.format(ip=self.ip),
            qemu=_QEMU_CONF.format(ip=self.ip) + (QUICK if self.lab.quick else ""),
        )
        self.outside(self.pool_path).mkdir(exist_ok=True)
        self._write_keys()
        names = [f"{self.lab.prefix}.{10 + number} kvm{number}" for number in range(1, 100)]
        (self.root / "hosts").write_text("\n".join(["127.0.0.1 localhost", *names, ""]))
        for work in (self.root / "layers").glob(".*"):
            shutil.rmtree(work)  # of a mount that ended
        self.namespace.start(_INIT, self.name)
        self.lab.switch.plug(self.name, into=self.namespace.pid, mac=self.mac)
        self.exec("ip", "address", "add", f"{self.ip}/24", "dev", "eth0")
        self.exec("ip", "link", "set", "eth0", "up")
        self.exec("ip", "route", "add", "default", "via", f"{self.lab.prefix}.1")
        self.exec("/usr/sbin/sshd", "-f", "/etc/libvirt/ssh/sshd_config")
        self._launch_daemon()

    def finish(self) -> None:
        """The second half."""
        self._wait_for_daemon()
        self._define_defaults(bridge="virbr0", prefix="192.168.122")

    def stop(self) -> None:
        """Pull the plug: guests, daemons and the network card go at once. Files stay."""
        self.namespace.stop()
        self.lab.switch.unplug(self.name)

    def reboot(self) -> None:
        """Off without a warning, and on again."""
        self.stop()
        self.start()

    def cut(self) -> None:
        """Pull the network cable."""
        self.lab.switch.pull(self.name)

    def drop(self) -> None:
        """A firewall that throws everything away without a word: a black hole."""
        self._firewall("DROP")

    def refuse(self) -> None:
        """A firewall that refuses every connection, also those that are open."""
        self._firewall("REJECT", "--reject-with", "tcp-reset")

    def slow(self, *, latency_ms: float = 0, loss_percent: float = 0) -> None:
        """Make the line bad: this much more time there and back, and this many frames lost on each way."""
        self.lab.switch.bend(self.name, delay_ms=latency_ms / 2, loss_percent=loss_percent)

    def heal(self) -> None:
        """Undo `cut`, `drop`, `refuse` and `slow`."""
        self.lab.switch.straighten(self.name)
        self.lab.switch.push(self.name)
        self.exec("sh", "-c", _OPEN_FIREWALL)

    def restore(self) -> None:
        """Undo everything that the methods here can break, so that it is as when it was started."""
        self.heal()
        if self._daemon_runs():
            self.thaw()
        else:
            self.revive()

    def trouble(self) -> str:
        """What is broken, in words; blank if nothing is."""
        troubles = {
            "line cut": self.lab.switch.pulled(self.name),
            "line bad": self.lab.switch.bent(self.name),
            "behind a firewall": "--comment lab" in self.exec("iptables", "-S", "INPUT"),
            "libvirtd killed": not self._daemon_runs(),
            "libvirtd frozen": self._daemon_frozen(),
        }
        return ", ".join(name for name, true in troubles.items() if true)

    def set_clock(self, offset_s: float) -> None:
        """Let `date` be wrong by so much. The kernel's clock is everybody's, and stays right."""
        self.exec(
            "sh", "-c", "mountpoint -q /usr/bin/date && umount /usr/bin/date; cp /usr/bin/date /run/date"
        )
        wrong = self.root / "run" / "wrong-date"
        wrong.write_text(_CLOCK.format(offset_s=offset_s))
        wrong.chmod(0o755)
        self.exec("mount", "--bind", str(wrong), "/usr/bin/date")

    def authorize(self, public_key: str) -> None:
        """Let the owner of this OpenSSH key in as root."""
        file = self.root / "etc" / "ssh" / "authorized_keys"
        known = file.read_text().splitlines()
        if public_key.strip() not in known:
            file.write_text("\n".join([*known, public_key.strip(), ""]))

    def deauthorize(self) -> None:
        """Let nobody in by ssh but the lab itself."""
        shutil.copy(f"{self.lab.ssh_key}.pub", self.root / "etc" / "ssh" / "authorized_keys")

    @property
    def host_key(self) -> str:
        """sshd's public key, as "TYPE BASE64"."""
        return " ".join((self.root / "etc" / "ssh" / "host_key.pub").read_text().split()[:2])

    def change_host_key(self) -> None:
        """A new identity for sshd, as after a new installation, or with another machine in the middle."""
        self._make_host_key()
        self.exec("sh", "-c", "kill -HUP $(cat /run/sshd.pid)")

    def use_certificate(self, certificate: Certificate, *, authority: str = "") -> None:
        """Serve TLS with another certificate, and accept clients of another `authority` (PEM) if one is given.

        libvirtd is started anew for that.
        """
        self._write_certificate(certificate, authority or self.lab.authority.certificate)
        self.kill()
        self.revive()

    def _daemon_options(self) -> Sequence[str]:
        return ("--listen",)

    def _firewall(self, *verdict: str) -> None:
        rule = ["-i", "eth0", "-p", "tcp", "-m", "comment", "--comment", "lab", "-j", *verdict]
        self.exec("iptables", "-I", "INPUT", *rule)

    def _write_keys(self) -> None:
        """Once in its life: ssh host key, TLS certificate, sshd's configuration, and who may come in."""
        ssh = self.root / "etc" / "ssh"
        if not ssh.exists():
            ssh.mkdir()
            self._make_host_key()
            self.deauthorize()
            (ssh / "sshd_config").write_text(_SSHD_CONFIG)
        # The address may be another one this time.
        self._write_certificate(self.lab.authority.server(self.ip, self.name), self.lab.authority.certificate)

    def _make_host_key(self) -> None:
        key = self.root / "etc" / "ssh" / "host_key"
        for old in (key, key.with_suffix(".pub")):
            old.unlink(missing_ok=True)
        run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", self.name, "-f", str(key)])

    def _write_certificate(self, certificate: Certificate, authority: str) -> None:
        pki = self.root / "etc" / "pki"
        pki.mkdir(exist_ok=True)
        (pki / "cacert.pem").write_text(authority)
        (pki / "servercert.pem").write_text(certificate.certificate)
        (pki / "serverkey.pem").write_text(certificate.key)
