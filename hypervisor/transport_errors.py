"""What ssh says when it can't connect, told as the errors of `hypervisor.errors`.

ssh has one exit status for all of it, and libvirt hands its words on, so the words decide. They are those of OpenSSH
in the C locale; `tests/hosts/test_transports.py` holds each of them against a real server.
"""

import re
from typing import Final

from hypervisor.errors import AccessDenied, HypervisorError, NotWhoItWas, Unreachable

_FINGERPRINT: Final = re.compile(r"key sent by the remote host is\s+(SHA256:[A-Za-z0-9+/]{43})")
_STEP: Final = re.compile(r"ssh: connect to host \S+ port \d+: ([^:\n]+)")

_KEY_REFUSED: Final = (
    "The host does not let the panel in: its public key is not among the user's authorized keys."
)
_NO_DAEMON: Final = "SSH works, but libvirt does not run on this host."
_NOT_IN_GROUP: Final = (
    "SSH works, but this user may not use libvirt: it must be a member of the group libvirt."
)
_NOT_INSTALLED: Final = "SSH works, but libvirt is not installed on this host."
_SILENT: Final = "The host does not answer."

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
    ("Permission denied (", AccessDenied, _KEY_REFUSED),
    ("Too many authentication failures", AccessDenied, _KEY_REFUSED),
    ("-sock': Permission denied", AccessDenied, _NOT_IN_GROUP),
    ("org.libvirt.unix.manage", AccessDenied, _NOT_IN_GROUP),  # polkit's word for the same
    ("virt-ssh-helper: cannot connect", Unreachable, _NO_DAEMON),
    ("nc: unix connect failed", Unreachable, _NO_DAEMON),
    ("nc: not found", Unreachable, _NOT_INSTALLED),
    ("nc: command not found", Unreachable, _NOT_INSTALLED),
    ("Could not resolve hostname", Unreachable, "This name is not known: look at its spelling and at DNS."),
    ("during banner exchange", Unreachable, "Something answers at this port, but not as SSH does."),
    ("Connection timed out", Unreachable, _SILENT),
    ("Operation timed out", Unreachable, _SILENT),
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
