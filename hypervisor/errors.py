"""What can go wrong, told as what the caller does next.

    HypervisorError              anything libvirt refused or could not do: show it
    ├── Unreachable              there is no connection: try again later
    │   └── OutcomeUnknown       the connection broke after an effect was asked for: look before asking again
    ├── NotFound                 the object is gone: forget the row
    ├── AlreadyExists            a name, UUID or address is taken: choose another
    ├── AlreadyInState           it is so already: treat it as done
    ├── Busy                     another job holds the object: try again soon
    ├── NoSpace                  the host's storage is full: free some, then try again
    ├── AccessDenied             the daemon or the file system said no: the host needs mending
    │   └── NotWhoItWas          host key or certificate is not the expected one: a person must look
    ├── Unsupported              this host cannot do that: do not offer it here
    ├── Invalid                  what was asked for makes no sense: mend the request
    ├── Changed                  somebody else changed it first: read it again, and show both
    └── Refused                  not in the object's present state: show it

`translate` is the only place where a `libvirt.libvirtError` is caught; libvirt's code, domain and message stay on the
exception for operators and logs.
"""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import libvirt


class HypervisorError(Exception):
    """Root of the tree; `code` and `domain` are libvirt's numbers, or None for an error that we found ourselves."""

    def __init__(self, message: str, *, code: int | None = None, domain: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.domain = domain


class Unreachable(HypervisorError):
    """There is no connection to the host's daemon; nothing was changed. Try again later."""


class OutcomeUnknown(Unreachable):
    """The connection broke while a change was under way: it may have happened. Look before asking again."""


class NotFound(HypervisorError):
    """The domain, pool, volume, network or device does not exist (any more)."""


class AlreadyExists(HypervisorError):
    """A name, UUID, file, bridge or address range is taken by another object."""


class AlreadyInState(HypervisorError):
    """The object already is what it was asked to become."""


class Busy(HypervisorError):
    """Another job holds the object; it passes."""


class NoSpace(HypervisorError):
    """The host's storage is full."""


class AccessDenied(HypervisorError):
    """The daemon or the host's file system does not let us."""


class NotWhoItWas(AccessDenied):
    """The host could not prove that it is the one the panel was told to trust. Never accepted without a person."""


class Unsupported(HypervisorError):
    """This host, its libvirt or its QEMU cannot do that."""


class Invalid(HypervisorError):
    """What was asked for is malformed or contradicts itself."""


class Changed(HypervisorError):
    """The definition is not the one that the change was made for."""


class Refused(HypervisorError):
    """Not possible in the object's present state."""


_BY_CODE: Final[dict[int, type[HypervisorError]]] = {
    libvirt.VIR_ERR_NO_DOMAIN: NotFound,
    libvirt.VIR_ERR_NO_NETWORK: NotFound,
    libvirt.VIR_ERR_NO_STORAGE_POOL: NotFound,
    libvirt.VIR_ERR_NO_STORAGE_VOL: NotFound,
    libvirt.VIR_ERR_NO_DOMAIN_METADATA: NotFound,
    libvirt.VIR_ERR_NO_DOMAIN_SNAPSHOT: NotFound,
    libvirt.VIR_ERR_DEVICE_MISSING: NotFound,
    libvirt.VIR_ERR_NO_INTERFACE: NotFound,
    libvirt.VIR_ERR_NO_NODE_DEVICE: NotFound,
    libvirt.VIR_ERR_DOM_EXIST: AlreadyExists,
    libvirt.VIR_ERR_NETWORK_EXIST: AlreadyExists,
    libvirt.VIR_ERR_STORAGE_VOL_EXIST: AlreadyExists,
    libvirt.VIR_ERR_STORAGE_POOL_BUILT: AlreadyExists,
    libvirt.VIR_ERR_OPERATION_TIMEOUT: Busy,
    libvirt.VIR_ERR_RESOURCE_BUSY: Busy,
    libvirt.VIR_ERR_AGENT_UNRESPONSIVE: Refused,
    libvirt.VIR_ERR_ACCESS_DENIED: AccessDenied,
    libvirt.VIR_ERR_AUTH_FAILED: AccessDenied,
    libvirt.VIR_ERR_AUTH_CANCELLED: AccessDenied,
    libvirt.VIR_ERR_AUTH_UNAVAILABLE: AccessDenied,
    libvirt.VIR_ERR_OPERATION_DENIED: AccessDenied,
    libvirt.VIR_ERR_NO_SUPPORT: Unsupported,
    libvirt.VIR_ERR_CONFIG_UNSUPPORTED: Unsupported,
    libvirt.VIR_ERR_ARGUMENT_UNSUPPORTED: Unsupported,
    libvirt.VIR_ERR_OPERATION_UNSUPPORTED: Unsupported,
    libvirt.VIR_ERR_INVALID_ARG: Invalid,
    libvirt.VIR_ERR_OVERFLOW: Invalid,
    libvirt.VIR_ERR_XML_ERROR: Invalid,
    libvirt.VIR_ERR_XML_DETAIL: Invalid,
    libvirt.VIR_ERR_XML_INVALID_SCHEMA: Invalid,
    libvirt.VIR_ERR_OPERATION_INVALID: Refused,
    libvirt.VIR_ERR_OPERATION_ABORTED: Refused,
    libvirt.VIR_ERR_NO_CONNECT: Unreachable,
    libvirt.VIR_ERR_INVALID_CONN: Unreachable,
    libvirt.VIR_ERR_RPC: Unreachable,
}

# A missing file is none of these: it is not the object that was asked for, whose row `NotFound` would forget.
_BY_ERRNO: Final[dict[int, type[HypervisorError]]] = {
    errno.ENOSPC: NoSpace,
    errno.EDQUOT: NoSpace,
    errno.EACCES: AccessDenied,
    errno.EPERM: AccessDenied,
    errno.EROFS: AccessDenied,
    errno.EEXIST: AlreadyExists,
}


@contextmanager
def translate(*, effect: bool = False) -> Iterator[None]:
    """Turn a `libvirtError` of the body into the tree above; usable as a decorator too.

    With `effect` a connection that breaks means `OutcomeUnknown`, without it `Unreachable`.
    """
    try:
        yield
    except libvirt.libvirtError as error:
        raise _translated(error, effect=effect) from error


def _translated(error: libvirt.libvirtError, *, effect: bool) -> HypervisorError:
    code, domain, message = (
        error.get_error_code(),
        error.get_error_domain(),
        error.get_error_message() or str(error),
    )
    if code == libvirt.VIR_ERR_SYSTEM_ERROR:
        kind = _BY_ERRNO.get(error.get_int1() or 0, HypervisorError)
    else:
        kind = _BY_CODE.get(code or 0, HypervisorError)
    # Whatever breaks on the way to the daemon comes from this domain, and much of it as an "internal error". So does
    # the answer of an older daemon to a question that it does not know: that one is no support.
    lost = domain == libvirt.VIR_FROM_RPC or kind is Unreachable
    if lost and kind not in (AccessDenied, Unsupported):
        kind = OutcomeUnknown if effect else Unreachable
    if domain == libvirt.VIR_FROM_RPC and kind is Unsupported:
        message = f"The host's libvirt is too old for this ({message})."
    return kind(message, code=code, domain=domain)
