"""Checks of what a host must offer beside libvirt: its clock, and the way to its machines' screens."""

from __future__ import annotations

import time
from typing import Final

from hosts import ssh
from hosts.checks.finding import Finding, failed, passed, skipped, warning
from hosts.checks.visit import Visit
from hosts.models import Host, Transport
from hypervisor.errors import AccessDenied

ASK_S: Final = 10.0
# A console's password serves for half a minute by the host's clock.
CONSOLES_FAIL_S: Final = 15
NOTICEABLE_S: Final = 2

_SYNCHRONIZE: Final = "Let the host keep its time by NTP:\n$ sudo timedatectl set-ntp true"
_FORWARDING: Final = (
    "Its sshd must let this user forward: AllowTcpForwarding yes (or local) in /etc/ssh/sshd_config, and the key's "
    "line in authorized_keys as “Prepare this host” shows it. Then:\n"
    "$ sudo systemctl reload ssh || sudo systemctl reload sshd"
)
_GIVE_USER: Final = "Give the host a user for SSH under “Change”, and prepare it as this page shows then."


def clock(visit: Visit) -> Finding:
    """The host's time is the panel's."""
    if not _has_shell(visit.host):
        return skipped("It is read over SSH, which the panel does not use with this host.")
    before = time.time()
    text = ssh.run(visit.host, ["date", "+%s"], deadline_s=ASK_S).strip()
    middle = (before + time.time()) / 2
    if not text.isascii() or not text.isdecimal():
        return failed("The host does not say what time it is.")
    offset = int(text) + 0.5 - middle  # whole seconds, cut off
    if abs(offset) < NOTICEABLE_S:
        return passed(f"The same time as here, within {NOTICEABLE_S} s.")
    said = f"It is {abs(offset):.0f} s {'ahead of' if offset > 0 else 'behind'} the panel."
    if abs(offset) > CONSOLES_FAIL_S:
        return failed(f"{said} Consoles don't open with such a difference.", _SYNCHRONIZE)
    return warning(said, _SYNCHRONIZE)


def console(visit: Visit) -> Finding:
    """Screens listen on the host's 127.0.0.1; SSH leads there."""
    host = visit.host
    if not _has_shell(host):
        return failed(
            "Screens of its machines are reached through SSH, which this host has no user for.", _GIVE_USER
        )
    try:
        ssh.try_forward(host, ssh.ssh_port(host), deadline_s=ASK_S)
    except AccessDenied as error:
        return failed(str(error), _FORWARDING)
    return passed("The panel reaches screens through SSH; no port of theirs is open to the network.")


def _has_shell(host: Host) -> bool:
    return host.transport == Transport.SSH or bool(host.username)
