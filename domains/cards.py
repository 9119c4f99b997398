"""What a machine's network cards can be plugged into, and whether an address is free."""

from __future__ import annotations

from dataclasses import dataclass

from accounts.models import User
from accounts.permissions import Verb
from accounts.scoping import allowed
from domains.models import Domain, DomainNic
from hosts.models import Host
from networks.models import Bridge, Network
from operations.models import Operation

NETWORK, BRIDGE = "network", "bridge"


@dataclass(frozen=True, slots=True)
class Place:
    """A network or a bridge of the machine's host."""

    kind: str
    source: str
    label: str
    active: bool

    @property
    def value(self) -> str:
        """As forms send it."""
        return f"{self.kind}:{self.source}"


def places(user: User, domain: Domain) -> list[Place]:
    """Those that `user` may plug this machine into.

    Who may see networks may choose any; others only what the machine is plugged into already.
    """
    found = on_host(domain.host)
    if allowed(user, Verb.NETWORK_VIEW):
        return found
    known = {(nic.kind, nic.source) for nic in domain.nics.all()}
    return [place for place in found if (place.kind, place.source) in known]


def on_host(host: Host) -> list[Place]:
    """All of a host's networks, and those of its bridges that are not the inside of a network."""
    networks = Network.objects.present().filter(host=host)
    inside = {network.bridge for network in networks if network.forward_mode != "bridge"}
    bridges = Bridge.objects.present().filter(host=host).exclude(name__in=inside)
    return [
        *(Place(NETWORK, one.name, f"{one.name} ({one.mode})", one.active) for one in networks),
        *(Place(BRIDGE, one.name, f"{one.name} (bridge of the host)", active=True) for one in bridges),
    ]


def holder(mac: str, *, without: Operation | None = None) -> str:
    """The name of the machine, on any host that the panel knows, that has this address or is to get it; or blank.

    `without` is an operation that asks for it itself: of two, the later one gives way.
    """
    nics = DomainNic.objects.filter(mac__iexact=mac, domain__gone_at=None, domain__host__gone_at=None)
    if without is not None:
        nics = nics.exclude(domain__uuid=without.target_id)
    nic = nics.select_related("domain").first()
    if nic is not None:
        return str(nic.domain.name)
    asked = Operation.objects.active().filter(kind="domain.nic.add", params__nic__mac=mac)
    if without is not None:
        asked = asked.exclude(pk=without.pk).filter(created_at__lt=without.created_at)
    first = asked.first()
    return "" if first is None else str(first.target_name)
