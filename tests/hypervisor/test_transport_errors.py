"""Words of ssh and of what libvirt starts through it, as OpenSSH 9.2 and libvirt 9.0 say them."""

import pytest

from hypervisor import transport_errors
from hypervisor.errors import AccessDenied, HypervisorError, NotWhoItWas, Unreachable

_SOCKET = "'/var/run/libvirt/libvirt-sock'"


@pytest.mark.parametrize(
    ("words", "kind", "meaning"),
    [
        (
            "Unable to negotiate with 192.0.2.1 port 22: no matching host key type found. Their offer: ssh-dss",
            NotWhoItWas,
            "no longer has a key of the kind",
        ),
        ("Received disconnect: Too many authentication failures", AccessDenied, "public key"),
        (
            f"virt-ssh-helper: cannot connect to {_SOCKET}: Failed to connect socket to {_SOCKET}: Permission denied",
            AccessDenied,
            "group libvirt",
        ),
        (
            "authentication unavailable: no polkit agent available to authenticate action 'org.libvirt.unix.manage'",
            AccessDenied,
            "group libvirt",
        ),
        (
            f"virt-ssh-helper: cannot connect to {_SOCKET}: Failed to connect socket to {_SOCKET}: Connection refused",
            Unreachable,
            "does not run",
        ),
        ("sh: 1: nc: not found", Unreachable, "not installed"),
        ("bash: line 1: nc: command not found", Unreachable, "not installed"),
        ("ssh: connect to host kvm1 port 22: No route to host", Unreachable, "no route to host."),
    ],
)
def test_mean(words: str, kind: type[HypervisorError], meaning: str) -> None:
    read = transport_errors.read(f"Cannot recv data: {words}: Connection reset by peer")
    assert type(read) is kind
    assert meaning in str(read)


def test_that_are_unknown_mean_nothing() -> None:
    assert transport_errors.read("End of file while reading data: Input/output error") is None
