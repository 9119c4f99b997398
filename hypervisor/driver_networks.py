"""Virtual networks and the addresses they gave away."""

from datetime import UTC, datetime
from uuid import UUID

import libvirt

from hypervisor.connection import Connection, unless_so_already, unless_taken
from hypervisor.errors import NotFound
from hypervisor.facts import LeaseFacts, NetworkFacts
from hypervisor.specs import NatNetworkSpec
from hypervisor.translation import translate
from hypervisor.xml import build, parse

_TEXT_LIMIT = 256


class NetworkCalls(Connection):
    """Each method raises `NotFound` for a network that the host does not know."""

    @translate()
    def list_networks(self) -> list[NetworkFacts]:
        """All networks, active or not."""
        return [_network_facts(network) for network in self._connection.listAllNetworks(0)]

    @translate()
    def read_network(self, network: UUID) -> NetworkFacts:
        """One network."""
        return _network_facts(self._network(network))

    def find_network_by_name(self, name: str) -> UUID | None:
        """The UUID of the network with exactly this name."""
        try:
            with translate():
                return UUID(self._connection.networkLookupByName(name).UUIDString())
        except NotFound:
            return None

    def define_nat_network(self, spec: NatNetworkSpec) -> NetworkFacts:
        """Define it and let it start with the host; it is not started. Doing it twice is harmless.

        Raises `AlreadyExists` if another network has the name, the UUID or the bridge.
        """
        document = build.nat_network_xml(spec)
        with unless_taken(lambda: self._is_network_taken(spec)), translate(effect=True):
            network = self._connection.networkDefineXML(document)
            network.setAutostart(1)
            return _network_facts(network)

    def start_network(self, network: UUID) -> None:
        """Start it. Raises `AlreadyInState` if it is active, `HypervisorError` if its addresses are in use."""
        with unless_so_already(lambda: self._is_network_active(network)), translate(effect=True):
            self._network(network).create()

    @translate()
    def network_leases(self, network: UUID) -> list[LeaseFacts]:
        """The addresses that the DHCP server of an active network has given away; `Refused` if it is inactive."""
        return [
            LeaseFacts(
                mac=lease["mac"] or "",
                ip=lease["ipaddr"],
                hostname=(lease["hostname"] or "")[:_TEXT_LIMIT],
                expires_at=datetime.fromtimestamp(lease["expirytime"], UTC) if lease["expirytime"] else None,
            )
            for lease in self._network(network).DHCPLeases(None, 0)
        ]

    def _network(self, uuid: UUID) -> libvirt.virNetwork:
        return self._connection.networkLookupByUUIDString(str(uuid))

    @translate()
    def _is_network_active(self, uuid: UUID) -> bool:
        return bool(self._network(uuid).isActive())

    def _is_network_taken(self, spec: NatNetworkSpec) -> bool:
        others = [
            found for found in self.list_networks() if (found.uuid, found.name) != (spec.uuid, spec.name)
        ]
        return any(
            found.uuid == spec.uuid or found.name == spec.name or found.bridge == spec.bridge
            for found in others
        )


def _network_facts(network: libvirt.virNetwork) -> NetworkFacts:
    return parse.network_facts(
        network.XMLDesc(0),
        active=bool(network.isActive()),
        persistent=bool(network.isPersistent()),
        autostart=bool(network.autostart()),
    )
