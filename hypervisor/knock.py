"""Asks whether a daemon answers, before libvirt is let near it.

`virConnectOpen` waits without limit for a daemon that accepts and stays silent, and says nothing of why a certificate
was refused. So the first question that libvirt would ask is asked here, with a deadline, and the connection thrown
away. What is sent stands in libvirt's src/rpc/virnetprotocol.x and src/remote/remote_protocol.x.
"""

import contextlib
import socket
import ssl
import time
from typing import Final

from hypervisor.errors import AccessDenied, NotWhoItWas, Unreachable
from hypervisor.uri import DEFAULT_PORTS, Address, Transport

_HEADER_BYTES: Final = 28
_REMOTE_PROGRAM: Final = 0x20008086
_AUTH_LIST: Final = 66
# Length, program, version, procedure, type (a call), serial, status.
_QUESTION: Final = b"".join(
    number.to_bytes(4) for number in (_HEADER_BYTES, _REMOTE_PROGRAM, 1, _AUTH_LIST, 0, 0, 0)
)
_LET_IN: Final = b"\x01"
"""What a TLS daemon says once it has accepted the client's certificate."""

# https://www.openssl.org/docs/man3.0/man3/X509_STORE_CTX_get_error.html
_BAD_CERTIFICATE: Final = {
    7: "The host's certificate was not signed by the authority (CA) that this host was added with.",
    9: "The host's certificate is not valid yet. Compare the clocks.",
    10: "The host's certificate has expired.",
    18: "The host's certificate was signed by no authority, only by itself.",
    19: "The host's certificate was not signed by the authority (CA) that this host was added with.",
    20: "The host's certificate was not signed by the authority (CA) that this host was added with.",
    62: "The host's certificate is for another name than the one it was added with.",
    64: "The host's certificate is for another address than the one it was added with.",
}


def knock(address: Address, *, deadline_s: float) -> None:
    """Return if a libvirt daemon answers at `address`, which must not be one over SSH.

    Raises Unreachable, NotWhoItWas for a certificate that proves nothing, and AccessDenied where ours is refused.
    """
    until = time.monotonic() + deadline_s
    try:
        with contextlib.ExitStack() as lines:
            line = lines.enter_context(_reach(address, until))
            if address.transport is Transport.TLS:
                line = lines.enter_context(_secured(line, address, until))
            line.sendall(_QUESTION)
            _wait(line, until)
            if not line.recv(_HEADER_BYTES):
                raise Unreachable("libvirtd closes connections as soon as they are made.")
    except TimeoutError as error:
        raise Unreachable("The host does not answer.") from error
    except PermissionError as error:
        raise AccessDenied("The panel may not use libvirt's socket.") from error
    except socket.gaierror as error:
        raise Unreachable("This name is not known: look at its spelling and at DNS.") from error
    except OSError as error:
        raise Unreachable(f"The host can't be reached: {(error.strerror or str(error)).lower()}.") from error


def _reach(address: Address, until: float) -> socket.socket:
    if address.transport is not Transport.LOCAL:
        port = address.port or DEFAULT_PORTS[address.transport]
        return socket.create_connection((address.hostname, port), timeout=max(0.1, until - time.monotonic()))
    line = socket.socket(socket.AF_UNIX)
    try:
        _wait(line, until)
        line.connect(address.socket)
    except BaseException:
        line.close()
        raise
    return line


def _secured(line: socket.socket, address: Address, until: float) -> ssl.SSLSocket:
    context = _context(address.credentials)
    _wait(line, until)
    try:
        secured = context.wrap_socket(line, server_hostname=address.hostname)
    except ssl.SSLCertVerificationError as error:
        unknown = f"The host's certificate proves nothing: {error.verify_message}."
        raise NotWhoItWas(_BAD_CERTIFICATE.get(error.verify_code, unknown)) from error
    except ssl.SSLError as error:
        raise Unreachable("Something answers at this port, but not as libvirt with TLS does.") from error
    try:
        _wait(secured, until)
        if secured.recv(1) == _LET_IN:
            return secured
    except TimeoutError:
        secured.close()
        raise
    except OSError:
        pass  # how a daemon that refuses ends the line differs with the version of TLS
    secured.close()
    raise AccessDenied("The host does not accept the panel's certificate.")


def _context(credentials: str) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=f"{credentials}/cacert.pem")
        context.load_cert_chain(f"{credentials}/clientcert.pem", f"{credentials}/clientkey.pem")
    except FileNotFoundError as error:
        raise AccessDenied("The panel has not been given certificates for this host yet.") from error
    except (OSError, ssl.SSLError) as error:
        raise AccessDenied(
            "The certificates that the panel was given for this host can't be read."
        ) from error
    return context


def _wait(line: socket.socket, until: float) -> None:
    """Let the next wait on `line` end with the deadline."""
    left = until - time.monotonic()
    if left <= 0:
        raise TimeoutError
    line.settimeout(left)
