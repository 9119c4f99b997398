"""Virtual networks and the addresses they gave away."""

from uuid import UUID

from hypervisor.connection import Connection
from hypervisor.facts import LeaseFacts, NetworkFacts
from hypervisor.specs import NatNetworkSpec


class NetworkCalls(Connection):
    """Each method raises `NotFound` for a network that the host does not know."""

    def list_networks(self) -> list[NetworkFacts]:
        """All networks, active or not."""

    def read_network(self, network: UUID) -> NetworkFacts:
        """One network."""

    def find_network_by_name(self, name: str) -> UUID | None:
        """The UUID of the network with exactly this name."""

    def define_nat_network(self, spec: NatNetworkSpec) -> NetworkFacts:
        """Define it and let it start with the host; it is not started. Raises `AlreadyExists`."""

    def start_network(self, network: UUID) -> None:
        """Start it. Raises `AlreadyInState` if it is active, `Refused` or `HypervisorError` if its range is in use."""

    def network_leases(self, network: UUID) -> list[LeaseFacts]:
        """The addresses its DHCP server has given away."""
