"""The only writer of what was observed of networks."""

from __future__ import annotations

from typing import Any

from core.events import publish
from core.reconcile import reconcile
from hosts.models import Host
from hypervisor.device_facts import BridgeFacts
from hypervisor.facts import NetworkFacts
from networks.models import Bridge, Network


def record_networks(host: Host, facts: list[NetworkFacts]) -> None:
    """All networks of `host`, as it told them just now; one that is missing is marked as gone."""
    changes = reconcile(
        Network.objects.filter(host=host),
        {fact.uuid: fact for fact in facts},
        key="uuid",
        columns=_columns,
        fixed={"host": host},
    )
    for network in [*changes.added, *changes.changed, *changes.gone]:
        publish("network", network.uuid)
    if changes:
        publish("networks")


def record_bridges(host: Host, facts: list[BridgeFacts]) -> None:
    """All bridges of `host`'s own system, as it told them just now; one that is missing is marked as gone."""
    changes = reconcile(
        Bridge.objects.filter(host=host),
        {fact.name[:64]: fact for fact in facts},
        key="name",
        columns=lambda fact, row: {"active": fact.active, "ports": list(fact.ports)},
        fixed={"host": host},
    )
    if changes:
        publish("networks")


def _columns(fact: NetworkFacts, row: Network | None) -> dict[str, Any]:
    return {
        "name": fact.name[:255],
        "active": fact.active,
        "autostart": fact.autostart,
        "bridge": fact.bridge[:64],
        "forward_mode": fact.forward_mode[:32],
        "addresses": list(fact.addresses),
        # As JSON gives them back, or they would look changed at every reading.
        "dhcp_ranges": [list(pair) for pair in fact.dhcp_ranges],
    }
