"""A domain's screen: a picture of it, and the way to it."""

from uuid import UUID

from hypervisor.connection import Connection
from hypervisor.facts import Screenshot, VncEndpoint


class DisplayCalls(Connection):
    """Each method raises `NotFound` for an unknown UUID and `Refused` for a domain that is off."""

    def screenshot(self, uuid: UUID) -> Screenshot:
        """What is on its first screen now."""

    def vnc_endpoint(self, uuid: UUID) -> VncEndpoint:
        """Where its VNC server listens in this run. Raises `Unsupported` if it has none.

        A port is given to the next domain within seconds: never keep it.
        """

    def set_vnc_password(self, uuid: UUID, password: str, *, valid_for_s: int) -> None:
        """Let new viewers in with `password` (eight characters count) for a while; those inside stay.

        Raises `Unsupported` if this run was started without a password.
        """

    def expire_vnc_password(self, uuid: UUID) -> None:
        """Let no new viewer in any more; those inside stay."""
