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

libvirt's code, domain and message stay on the exception for operators and logs (`hypervisor.translation`).
"""


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
