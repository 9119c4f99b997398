"""Which checks a host has, in their order, and which of them make no sense before others are good."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from hosts.models import GOOD_CHECKS, CheckState, Host, Transport


@dataclass(frozen=True, slots=True)
class Check:
    """`after` names those that must be good first."""

    key: str
    title: str
    after: tuple[str, ...] = ()


NAME = Check("name", "Name")
PORT = Check("port", "Port", ("name",))
CERTIFICATE = Check("certificate", "Certificate of the host", ("port",))


def checks_of(host: Host) -> tuple[Check, ...]:
    """All that apply to the way in which `host` is reached."""
    return (*_reach(host), *_libvirt(host), *_shell(host))


def keys(host: Host) -> list[str]:
    """Theirs."""
    return [check.key for check in checks_of(host)]


def around(host: Host, key: str, states: Mapping[str, CheckState]) -> set[str]:
    """`key`, what stands in its way by now, and what hangs on it."""
    checks = {check.key: check for check in checks_of(host)}
    found = {key}
    before = list(checks[key].after)
    while before:
        one = before.pop()
        before.extend(checks[one].after)
        if states.get(one) not in GOOD_CHECKS:
            found.add(one)
    for check in checks.values():  # in their order, so that one round is enough
        if found.intersection(check.after):
            found.add(check.key)
    return found


def _reach(host: Host) -> tuple[Check, ...]:
    by_ssh = Check("host_key", "SSH key of the host", ("port",))
    match host.transport:
        case Transport.LOCAL:
            return ()
        case Transport.SSH:
            return NAME, PORT, by_ssh, Check("sign_in", "Sign-in", ("host_key",))
        case Transport.TLS:
            return NAME, PORT, CERTIFICATE, Check("sign_in", "Sign-in", ("certificate",))
        case _:
            return NAME, PORT


def _libvirt(host: Host) -> tuple[Check, ...]:
    before = {Transport.LOCAL: (), Transport.TCP: ("port",)}.get(Transport(host.transport), ("sign_in",))
    return (
        Check("libvirt", "libvirt", before),
        Check("kvm", "KVM", ("libvirt",)),
        Check("pool", "Storage pool", ("libvirt",)),
        Check("network", "Network", ("libvirt",)),
    )


def _shell(host: Host) -> tuple[Check, ...]:
    """What is found out by SSH; hosts over TLS or TCP may have that beside, for consoles."""
    if not host.remote:
        return ()
    before = ("sign_in",)
    own: tuple[Check, ...] = ()
    if host.transport != Transport.SSH:
        before = ("name",)
        if host.username:
            own = (Check("host_key", "SSH key of the host", ("name",)),)
            before = ("host_key",)
    return (
        *own,
        Check("clock", "Clock", before),
        Check("console", "Consoles", before),
    )
