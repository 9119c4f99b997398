"""Connection URIs, built from checked parts.

A libvirt URI can carry `command=`, `netcat=` and other parameters that run programs on the caller's machine.
So a URI is never accepted as text: it is built here, from parts that fully match a narrow alphabet, and the only
query parameter that can appear is the one this module writes itself.
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from hypervisor.errors import Invalid, Unsupported

_SOCKET: Final = re.compile(r"/[A-Za-z0-9._/-]{1,100}")
_LABEL: Final = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_HOSTNAME: Final = re.compile(rf"(?=.{{1,253}}\Z){_LABEL}(?:\.{_LABEL})*")
_USERNAME: Final = re.compile(r"[a-z_][a-z0-9_-]{0,31}")


class Transport(StrEnum):
    """How the panel reaches a host's libvirt daemon."""

    LOCAL = "local"
    SSH = "ssh"
    TLS = "tls"
    TCP = "tcp"


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where a libvirt daemon is, in parts; raises `Invalid` for a part that could not belong to such an address.

    `socket` is for LOCAL alone: the daemon's socket, blank for the place where libvirt looks by itself.
    The other parts are for the remote transports alone.
    """

    transport: Transport = Transport.LOCAL
    hostname: str = ""
    port: int | None = None
    username: str = ""
    socket: str = ""

    def __post_init__(self) -> None:
        if self.transport is Transport.LOCAL:
            if self.hostname or self.username or self.port is not None:
                raise Invalid("A local address has no host name, user name or port.")
        elif not _HOSTNAME.fullmatch(self.hostname):
            raise Invalid("This is not a host name.")
        elif self.socket:
            raise Invalid("Only a local address has a socket.")
        if self.socket and (not _SOCKET.fullmatch(self.socket) or ".." in self.socket):
            raise Invalid("This is not the path of a socket.")
        if self.username and not _USERNAME.fullmatch(self.username):
            raise Invalid("This is not a user name.")
        if self.port is not None and not 0 < self.port < 65536:
            raise Invalid("A port is a number from 1 to 65535.")


def build_uri(address: Address) -> str:
    """The URI for `virConnectOpen`; raises `Unsupported` for a transport that cannot be used yet."""
    match address.transport:
        case Transport.LOCAL if address.socket:
            return f"qemu+unix:///system?socket={address.socket}"
        case Transport.LOCAL:
            return "qemu:///system"
        case _:
            raise Unsupported(f"Hosts cannot be reached over {address.transport} yet.")
