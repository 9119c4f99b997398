"""What a host is and can do."""

from hypervisor.connection import Connection
from hypervisor.facts import HostFacts


class HostCalls(Connection):
    """Facts about the host itself."""

    def host_facts(self) -> HostFacts:
        """Everything that is known about the host, acceleration decision included. Takes some ten calls."""

    def memory_free_mib(self) -> int:
        """The host's free memory right now."""
