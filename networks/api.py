"""REST: virtual networks as last seen."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from django.http import Http404, HttpRequest
from ninja import Query, Router, Schema
from ninja.pagination import paginate
from pydantic import Field

from accounts.permissions import Verb
from accounts.scoping import require
from core.http import signed_in
from core.paging import Paging
from networks import listing
from networks.models import Network, NetworkQuerySet

router = Router(tags=["networks"])

HostUUID = Annotated[str, Query(description="UUID of its host, where several have a network of this UUID")]


class NetworkOut(Schema):
    """A network. `addresses` as "192.0.2.1/24", `dhcp_ranges` as [first, last]; `forward_mode` blank: isolated."""

    uuid: UUID
    name: str
    host: UUID = Field(alias="host.uuid")
    host_name: str = Field(alias="host.name")
    active: bool
    autostart: bool
    bridge: str
    forward_mode: str
    addresses: list[str]
    dhcp_ranges: list[tuple[str, str]]
    seen_at: datetime | None


class BridgeOut(Schema):
    """A bridge of a host's own system; `ports` are the host's own interfaces in it."""

    name: str
    host: UUID = Field(alias="host.uuid")
    host_name: str = Field(alias="host.name")
    active: bool
    ports: list[str]
    seen_at: datetime | None


@router.get("/bridges", response=list[BridgeOut], summary="List the bridges of hosts")
@paginate(Paging)
def list_bridges(request: HttpRequest) -> NetworkQuerySet:
    """All bridges of all hosts that are not inside a virtual network, by host and name."""
    require(signed_in(request), Verb.NETWORK_VIEW)
    return listing.bridges(signed_in(request))


@router.get("", response=list[NetworkOut], summary="List networks")
@paginate(Paging)
def list_networks(request: HttpRequest) -> NetworkQuerySet:
    """All networks of all hosts, by host and name."""
    require(signed_in(request), Verb.NETWORK_VIEW)
    return listing.networks(signed_in(request))


@router.get("{uuid}", response=NetworkOut, summary="One network")
def get_network(request: HttpRequest, uuid: UUID, host: HostUUID = "") -> Network:
    """As last seen."""
    network = listing.find_network(signed_in(request), uuid, host)
    if network is None:
        raise Http404
    return network
