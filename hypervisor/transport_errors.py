"""What ssh says when it can't connect, told as the errors of `hypervisor.errors`.

ssh has one exit status for all of it, and libvirt hands its words on, so the words decide. They are those of OpenSSH
in the C locale; `tests/hosts/test_transports.py` holds each of them against a real server.
"""

import re
from typing import Final

from hypervisor.errors import AccessDenied, HypervisorError, NotWhoItWas, Unreachable

_FINGERPRINT: Final = re.compile(r"key sent by the remote host is\s+(SHA256:[A-Za-z0-9+/]{43})")
_STEP: Final = re.compile(r"ssh: connect to host \S+ port \d+: ([^:\n]+)")

# The first that is found counts: a host that sends such words itself can only make its own case worse.
_BY_WORDS: Final[tuple[tuple[str, type[HypervisorError], str], ...]] = (
    (
        "REMOTE HOST IDENTIFICATION HAS CHANGED",
        NotWhoItWas,
        "The host shows another key than the one that was confirmed: it was installed anew, or it is not this host.",
    ),
    ("Host key verification failed", NotWhoItWas, "The host's key has not been confirmed yet."),
    (
        "no matching host key type",
        NotWhoItWas,
        "The host no longer has a key of the kind that was confirmed.",
    ),
    (
        "Permission denied (",
        AccessDenied,
        "The host does not let the panel in: its public key is not among the user's authorized keys.",
    ),
    (
        "Too many authentication failures",
        AccessDenied,
        "The host does not let the panel in: its public key is not among the user's authorized keys.",
    ),
    ("Could not resolve hostname", Unreachable, "This name is not known: look at its spelling and at DNS."),
    (
        "virt-ssh-helper: cannot connect",
        Unreachable,
        "SSH works, but libvirt does not run on this host, or this user may not use it.",
    ),
    (
        "nc: unix connect failed",
        Unreachable,
        "SSH works, but libvirt does not run on this host, or this user may not use it.",
    ),
    ("nc: not found", Unreachable, "SSH works, but libvirt is not installed on this host."),
    ("during banner exchange", Unreachable, "Something answers at this port, but not as SSH does."),
    ("Connection timed out", Unreachable, "The host does not answer."),
    ("Operation timed out", Unreachable, "The host does not answer."),
)


def read(words: str) -> HypervisorError | None:
    """What ssh's `words` mean; None where they are none of those that are known."""
    for sign, kind, meaning in _BY_WORDS:
        if sign in words:
            shown = _FINGERPRINT.search(words)
            return kind(f"{meaning} It shows {shown[1]}." if shown else meaning)
    if step := _STEP.search(words):
        return Unreachable(f"The host can't be reached by SSH: {step[1].strip().lower()}.")
    return None
