"""What pages, live pieces and REST show of networks."""

from __future__ import annotations

from uuid import UUID

from django.db.models import Exists, OuterRef

from accounts.models import User
from accounts.permissions import Verb
from networks import plugged
from networks.models import Bridge, Network, NetworkQuerySet
from networks.plugged import Plug


def networks(user: User) -> NetworkQuerySet:
    """Every network that `user` may see, with its host."""
    found: NetworkQuerySet = Network.objects.permitted(user, Verb.NETWORK_VIEW).present()
    return found.select_related("host")


def bridges(user: User) -> NetworkQuerySet:
    """Every bridge of a host's own system that `user` may see; those inside a virtual network are not among them."""
    inside = Network.objects.present().filter(host=OuterRef("host"), bridge=OuterRef("name"))
    found: NetworkQuerySet = Bridge.objects.permitted(user, Verb.NETWORK_VIEW).present()
    return found.filter(~Exists(inside.exclude(forward_mode="bridge"))).select_related("host")


def find_network(user: User, uuid: UUID, host: str = "") -> Network | None:
    """One network. Hosts made from one image have networks of one UUID; `host`, a UUID, then tells which is meant."""
    found = networks(user).filter(uuid=uuid)
    try:
        return found.filter(host__uuid=UUID(host)).first() if host else found.first()
    except ValueError:
        return None


def plugs(network: Network) -> list[Plug]:
    """What is plugged into it, through its name or straight into its bridge."""
    sources = [name for name in (network.name, network.bridge) if name]
    found = plugged.into(network.host, sources)
    return sorted((plug for some in found.values() for plug in some), key=lambda plug: (plug.name, plug.mac))
