"""What to type on a plain machine so that it can become a host: one list of commands for each family of Linux."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from hosts.models import Host, Transport

# Nothing but commands and connections to the host's own 127.0.0.1, where screens listen.
_KEY_OPTIONS: Final = 'restrict,port-forwarding,permitopen="127.0.0.1:*"'

_MODULAR: Final = "virtqemud virtnetworkd virtstoraged virtnodedevd virtsecretd virtproxyd"
_START_MODULAR: Final = f"for daemon in {_MODULAR}; do sudo systemctl enable --now $daemon.socket; done"
_START_SINGLE: Final = "sudo systemctl enable --now libvirtd.socket"


@dataclass(frozen=True, slots=True)
class Command:
    """One line for a shell, and what it is for."""

    words: str
    line: str


@dataclass(frozen=True, slots=True)
class Family:
    """A family of Linux and its commands, in order."""

    key: str
    name: str
    commands: tuple[Command, ...]


def families(host: Host, public_key: str) -> list[Family]:
    """How to prepare `host`, whose user is to let in `public_key`; nothing for this machine, which `up` prepares."""
    if not host.remote:
        return []
    after = tuple(_user(host, public_key)) if host.username and public_key else ()
    after += tuple(_listen(host))
    return [Family(key, name, (*commands, *after)) for key, name, commands in _INSTALL]


_INSTALL: Final = (
    (
        "debian",
        "Debian, Ubuntu",
        (
            Command(
                "Install QEMU and libvirt",
                "sudo apt-get update && sudo apt-get install -y qemu-system-x86 qemu-utils libvirt-daemon-system "
                "libvirt-clients ovmf swtpm",
            ),
            Command("Start libvirt", _START_SINGLE),
        ),
    ),
    (
        "rhel",
        "RHEL, CentOS Stream, Rocky, Alma, Fedora",
        (
            Command(
                "Install QEMU and libvirt",
                "sudo dnf install -y qemu-kvm libvirt libvirt-client edk2-ovmf swtpm-tools",
            ),
            Command("Start libvirt (version 9 and newer, Fedora)", _START_MODULAR),
            Command("Start libvirt (version 8)", _START_SINGLE),
        ),
    ),
    (
        "suse",
        "SUSE, openSUSE",
        (
            Command(
                "Install QEMU and libvirt",
                "sudo zypper install -y qemu-kvm libvirt libvirt-client qemu-ovmf-x86_64 swtpm",
            ),
            Command("Start libvirt (SLES 15, Leap 15)", _START_SINGLE),
            Command("Start libvirt (Tumbleweed, SLES 16, Leap 16)", _START_MODULAR),
        ),
    ),
)


def _user(host: Host, public_key: str) -> Iterator[Command]:
    name = host.username
    if name != "root":
        yield Command(
            f"Make the user {name}, who may use libvirt",
            f"id {name} >/dev/null 2>&1 || sudo useradd --create-home --shell /bin/sh --password '*' {name}; "
            f"sudo usermod -aG libvirt {name}",
        )
    entry = shlex.quote(f"{_KEY_OPTIONS} {public_key}")
    yield Command(
        "Let the panel's key in: it may run commands as this user and reach the host's own 127.0.0.1, nothing else",
        f"sudo -u {name} mkdir -p -m 700 ~{name}/.ssh && "
        f"echo {entry} | sudo -u {name} tee -a ~{name}/.ssh/authorized_keys >/dev/null",
    )


def _listen(host: Host) -> Iterator[Command]:
    if host.transport == Transport.TLS:
        yield Command(
            "Let libvirt listen with TLS, once its certificates lie in /etc/pki/libvirt",
            "sudo systemctl enable --now libvirtd-tls.socket || sudo systemctl enable --now virtproxyd-tls.socket",
        )
    if host.transport == Transport.TCP:
        yield Command(
            'Let libvirt listen without encryption or sign-in (auth_tcp = "none" in its configuration)',
            "sudo systemctl enable --now libvirtd-tcp.socket || sudo systemctl enable --now virtproxyd-tcp.socket",
        )
