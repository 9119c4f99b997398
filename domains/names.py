"""Which names a new machine may have, and addresses for its network cards."""

from __future__ import annotations

import re
import secrets

# libvirt takes nearly anything; this is what also works as a host name and in every shell and file system.
NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,61}[A-Za-z0-9])?")
NAME_RULE = "1 to 63 letters, digits, dots, dashes and underscores; a letter or digit at both ends."

# QEMU's own prefix: locally administered in effect, and known to every operator.
MAC_PREFIX = "52:54:00"


def valid(name: str) -> bool:
    """Whether `name` may be given to a new machine."""
    return NAME.fullmatch(name) is not None


def fresh_mac() -> str:
    """A random MAC address with QEMU's prefix, like "52:54:00:1a:2b:3c"."""
    tail = secrets.token_bytes(3)
    return f"{MAC_PREFIX}:{tail[0]:02x}:{tail[1]:02x}:{tail[2]:02x}"
