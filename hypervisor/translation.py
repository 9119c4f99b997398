"""The one place where a `libvirt.libvirtError` is caught. Who only names errors need not load libvirt: 10 MB each."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import libvirt

from hypervisor.errors import (
    AccessDenied,
    AlreadyExists,
    Busy,
    HypervisorError,
    Invalid,
    NoSpace,
    NotFound,
    OutcomeUnknown,
    Refused,
    Unreachable,
    Unsupported,
)

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
