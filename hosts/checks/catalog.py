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


NAME = Check("name", "The name is known")
PORT = Check("port", "The port answers", ("name",))
CERTIFICATE = Check("certificate", "The host's certificate is right", ("port",))


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
    by_ssh = Check("host_key", "The host's SSH key is confirmed", ("port",))
    match host.transport:
        case Transport.LOCAL:
            return ()
        case Transport.SSH:
            return NAME, PORT, by_ssh, Check("sign_in", "The panel can sign in", ("host_key",))
        case Transport.TLS:
            return NAME, PORT, CERTIFICATE, Check("sign_in", "The panel can sign in", ("certificate",))
        case _:
            return NAME, PORT


def _libvirt(host: Host) -> tuple[Check, ...]:
    before = {Transport.LOCAL: (), Transport.TCP: ("port",)}.get(Transport(host.transport), ("sign_in",))
    return (
        Check("libvirt", "libvirt answers", before),
        Check("kvm", "KVM is on", ("libvirt",)),
        Check("pool", "There is a storage pool with space", ("libvirt",)),
        Check("network", "There is a network", ("libvirt",)),
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
            own = (Check("host_key", "The host's SSH key is confirmed", ("name",)),)
            before = ("host_key",)
    return (
        *own,
        Check("clock", "The clock is right", before),
        Check("console", "Consoles can be reached", before),
    )
