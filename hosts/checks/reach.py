"""Checks of the way to a host: its name, its port, who it is, whether it lets us in."""

from __future__ import annotations

import socket
import subprocess
from typing import Final

from hosts import connections, credentials, keys, ssh
from hosts.checks.finding import Finding, failed, passed
from hosts.checks.visit import Visit
from hosts.models import Transport
from hypervisor.errors import AccessDenied, NotWhoItWas
from hypervisor.knock import knock
from hypervisor.uri import DEFAULT_PORTS
from hypervisor.uri import Transport as Way

RESOLVE_S: Final = 5.0
CONNECT_S: Final = 5.0
SCAN_S: Final = 8.0
SIGN_IN_S: Final = 12.0

# The unit to start, by the name that some systems have for it, and the one that others have.
_UNITS: Final = {
    Transport.SSH: ("ssh", "sshd"),
    Transport.TLS: ("libvirtd-tls.socket", "virtproxyd-tls.socket"),
    Transport.TCP: ("libvirtd-tcp.socket", "virtproxyd-tcp.socket"),
}
_INSTALL_KEY: Final = (
    "Add the panel's key to that user on the host, as “Prepare this host” shows it, then check again."
)
_FINGERPRINT: Final = "$ for key in /etc/ssh/ssh_host_*_key.pub; do ssh-keygen -lf $key; done"


def name(visit: Visit) -> Finding:
    """Resolved by a process that can be ended: the system's resolver knows no deadline."""
    address = visit.host.address
    try:
        done = subprocess.run(
            ["getent", "ahosts", "--", address],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=RESOLVE_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return failed(
            f"Nobody answered within {RESOLVE_S:.0f} s where {address} is.", "Look at the panel's DNS."
        )
    found = list(dict.fromkeys(line.split()[0] for line in done.stdout.splitlines() if line.strip()))
    if not found:
        return failed(
            f"No machine is known by the name {address}.",
            "Look at the spelling and at DNS; or change the host's address to its IP address.",
        )
    return passed(
        f"{address} is {', '.join(found[:4])}." if found != [address] else f"{address} is an IP address."
    )


def port(visit: Visit) -> Finding:
    """Something listens there."""
    host = visit.host
    number = host.port or DEFAULT_PORTS[Way(host.transport)]
    try:
        socket.create_connection((host.address, number), timeout=CONNECT_S).close()
    except TimeoutError:
        return failed(
            f"Nothing answers at port {number} within {CONNECT_S:.0f} s.",
            f"Look whether the host is on, and whether a firewall lets the panel through to port {number}.",
        )
    except ConnectionRefusedError:
        start = " || ".join(
            f"sudo systemctl enable --now {unit}" for unit in _UNITS[Transport(host.transport)]
        )
        return failed(
            f"The host is there, but nothing listens at port {number}.", f"Start it on the host:\n$ {start}"
        )
    except OSError as error:
        return failed(
            f"Port {number} can't be reached: {(error.strerror or str(error)).lower()}.",
            "Look at the address, the network and the firewalls between.",
        )
    return passed(f"Port {number} answers.")


def host_key(visit: Visit) -> Finding:
    """The key it shows is the one that a person confirmed; another one is offered until a person has looked at it."""
    host, known = visit.host, visit.credentials
    shown = ssh.scan_host_key(host.address, ssh.ssh_port(host), deadline_s=SCAN_S)
    if known.host_key and _is_confirmed(visit, known.host_key, shown):
        return passed(f"It is {_words(keys.HostKey.parse(known.host_key))}, as it was confirmed.")
    if not known.host_key:
        return failed(
            f"The host shows the key {_words(shown)}. Nobody has confirmed it yet.",
            f"Compare it with what the host itself says, then confirm it here:\n{_FINGERPRINT}",
            offered_key=str(shown),
        )
    return failed(
        f"The host shows another key than before. Before: {_words(keys.HostKey.parse(known.host_key))}. "
        f"Now: {_words(shown)}.",
        "If it was not installed anew, somebody may be in between: do not confirm it. "
        f"Compare it on the host's own screen first:\n{_FINGERPRINT}",
        offered_key=str(shown),
    )


def certificate(visit: Visit) -> Finding:
    """The one it shows was signed by the authority we were given, for this name, and is valid now."""
    address = connections.prepared_address(visit.host)
    try:
        knock(address, deadline_s=SIGN_IN_S)
    except NotWhoItWas as error:
        return failed(
            str(error),
            "Give the host a certificate for this name by your authority, or give the panel the right one below.\n"
            "$ sudo virt-pki-validate",
        )
    except AccessDenied:
        known = visit.credentials
        if not (known.ca_certificate and known.client_certificate):
            return failed(
                "The panel has no certificates for this host.",
                "Give it the authority's certificate, and its own with its key: under “Certificates” on this page.",
            )
    return passed("It is for this name, valid, and of the authority you gave.")


def sign_in(visit: Visit) -> Finding:
    """The host lets the panel in."""
    host = visit.host
    try:
        if host.transport == Transport.SSH:
            ssh.run(host, ["true"], deadline_s=SIGN_IN_S)
            return passed(f"The panel signs in as {host.username}.")
        _knock(visit)
    except NotWhoItWas:
        raise
    except AccessDenied as error:
        if host.transport == Transport.SSH:
            return failed(str(error), _INSTALL_KEY)
        return failed(
            str(error),
            "Sign the panel's certificate with the authority that the host's libvirtd trusts (/etc/pki/CA/cacert.pem), "
            "and look whether tls_allowed_dn_list in its configuration names it.",
        )
    return passed("The host accepts the panel's certificate.")


def _knock(visit: Visit) -> None:
    knock(connections.prepared_address(visit.host), deadline_s=SIGN_IN_S)


def _is_confirmed(visit: Visit, confirmed: str, shown: keys.HostKey) -> bool:
    """A host has keys of several kinds; where another kind is shown first, ssh asks for the confirmed one."""
    if confirmed == str(shown):
        return True
    if confirmed.partition(" ")[0] == shown.kind:
        return False
    credentials.ensure(visit.host)
    try:
        ssh.run(visit.host, ["true"], deadline_s=SIGN_IN_S)
    except NotWhoItWas:
        return False
    except AccessDenied:
        return True  # it was known by its key before it refused ours
    return True


def _words(key: keys.HostKey) -> str:
    return f"{key.kind} {key.fingerprint}"
