"""Connection URIs, built from checked parts.

A libvirt URI can carry `command=`, `netcat=` and other parameters that run programs on the caller's machine.
So a URI is never accepted as text: it is built here, from parts that fully match a narrow alphabet, and the only
query parameters that can appear are those this module writes itself.
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv6Address
from typing import Final

from hypervisor.errors import Invalid

_PATH: Final = re.compile(r"/[A-Za-z0-9._/@~+-]+")
_SOCKET_LENGTH: Final = 100
_FOLDER_LENGTH: Final = 200
_LABEL: Final = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_HOSTNAME: Final = re.compile(rf"(?=.{{1,253}}\Z){_LABEL}(?:\.{_LABEL})*")
_USERNAME: Final = re.compile(r"[a-z_][a-z0-9_-]{0,31}")


class Transport(StrEnum):
    """How the panel reaches a host's libvirt daemon."""

    LOCAL = "local"
    SSH = "ssh"
    TLS = "tls"
    TCP = "tcp"


DEFAULT_PORTS: Final = {Transport.SSH: 22, Transport.TLS: 16514, Transport.TCP: 16509}


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where a libvirt daemon is, in parts; raises `Invalid` for a part that could not belong to such an address.

    `socket` is for LOCAL alone: the daemon's socket, blank for the place where libvirt looks by itself.
    The other parts are for the remote transports: `hostname` is a name (RFC 1123) or an IP address without a zone,
    `port` None the transport's own (`DEFAULT_PORTS`). `credentials` is a folder of the panel's own: for SSH it
    holds the program `ssh` that libvirt runs instead of the system's, for TLS cacert.pem, clientcert.pem and
    clientkey.pem (https://libvirt.org/kbase/tlscerts.html).
    """

    transport: Transport = Transport.LOCAL
    hostname: str = ""
    port: int | None = None
    username: str = ""
    socket: str = ""
    credentials: str = ""

    def __post_init__(self) -> None:
        if self.transport is Transport.LOCAL:
            if self.hostname or self.username or self.credentials or self.port is not None:
                raise Invalid("A local address has no host name, user name, port or credentials.")
        elif not _is_host(self.hostname):
            raise Invalid("This is neither a host name nor an IP address.")
        elif self.socket:
            raise Invalid("Only a local address has a socket.")
        if self.transport in (Transport.SSH, Transport.TLS) and not self.credentials:
            raise Invalid(f"An address over {self.transport} needs credentials.")
        for path, length in ((self.socket, _SOCKET_LENGTH), (self.credentials, _FOLDER_LENGTH)):
            if path and (len(path) > length or not _PATH.fullmatch(path) or ".." in path):
                raise Invalid("This is not a path the panel would use.")
        if self.username and (self.transport is not Transport.SSH or not _USERNAME.fullmatch(self.username)):
            raise Invalid("This is not a user name.")
        if self.port is not None and not 0 < self.port < 65536:
            raise Invalid("A port is a number from 1 to 65535.")


def build_uri(address: Address) -> str:
    """The URI for `virConnectOpen` (https://libvirt.org/uri.html); nothing in it comes unchecked."""
    match address.transport:
        case Transport.LOCAL if address.socket:
            return f"qemu+unix:///system?socket={address.socket}"
        case Transport.LOCAL:
            return "qemu:///system"
        case Transport.SSH:
            # no_tty: never ask a person. Host keys are checked by the configuration that the program is given.
            return f"qemu+ssh://{_authority(address)}/system?command={address.credentials}/ssh&no_tty=1"
        case Transport.TLS:
            return f"qemu+tls://{_authority(address)}/system?pkipath={address.credentials}"
        case Transport.TCP:
            return f"qemu+tcp://{_authority(address)}/system"


def _authority(address: Address) -> str:
    host = f"[{address.hostname}]" if ":" in address.hostname else address.hostname
    user = f"{address.username}@" if address.username else ""
    port = "" if address.port is None else f":{address.port}"
    return f"{user}{host}{port}"


def _is_host(text: str) -> bool:
    if _HOSTNAME.fullmatch(text):
        return True
    try:
        return "%" not in text and bool(IPv6Address(text))
    except ValueError:
        return False
