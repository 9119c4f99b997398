"""REST for making machines."""

from __future__ import annotations

from dataclasses import fields
from uuid import UUID

from django.http import HttpRequest
from django.shortcuts import get_list_or_404, get_object_or_404
from ninja import Field, Schema, Status

from accounts.models import Team, User
from accounts.permissions import Verb
from accounts.scoping import require
from core.http import idempotency_key, signed_in
from domains.actions import create as creating
from domains.api.common import Accepted, accepted, router
from domains.wishes import Anywhere, NewDomain, Wish
from hosts.models import Host
from networks.models import Network
from storage.models import Pool, Volume


class NewDomainIn(Schema):
    """A new virtual machine. Things on hosts are named by their UUIDs; `disk_gib` and `memory_mib` are whole.

    Without `pool` the best pool is taken, and without `host` the best host: one that has all `labels`, the image and a
    network of the same name. The operation's log says why.

    `image` is a disk that its own begins with: a copy of it, in the pool of the image unless another is given, or,
    with `as_it_is`, that disk itself; the machine runs where it lies.
    """

    name: str
    host: UUID | None = None
    pool: UUID | None = None
    labels: list[str] = Field(default_factory=list, max_length=32)
    vcpus: int = 1
    memory_mib: int = 2048
    disk_gib: int = 5
    disk_format: str = "qcow2"
    iso: UUID | None = None
    image: UUID | None = None
    as_it_is: bool = False
    network: UUID | None = None
    firmware: str = "bios"
    description: str = ""
    team: int | None = None
    start: bool = True


def _wish(user: User, body: NewDomainIn) -> NewDomain | Anywhere:
    hosts = Host.objects.permitted(user, Verb.HOST_VIEW).present()
    pools = Pool.objects.permitted(user, Verb.STORAGE_VIEW).present().select_related("host")
    networks = Network.objects.permitted(user, Verb.NETWORK_VIEW).present()
    isos = Volume.objects.permitted(user, Verb.STORAGE_VIEW).present().select_related("pool__host")
    host = get_object_or_404(hosts, uuid=body.host) if body.host else None
    if host is not None:
        pools, networks = pools.filter(host=host), networks.filter(host=host)
    pool = get_list_or_404(pools, uuid=body.pool)[0] if body.pool else None
    if pool is not None:
        host, networks = pool.host, networks.filter(host=pool.host)
    network = get_list_or_404(networks, uuid=body.network)[0] if body.network else None
    plain = body.dict(include={field.name for field in fields(Wish)} - {"iso", "team"})
    plain["iso"] = get_object_or_404(isos, uuid=body.iso) if body.iso else None
    plain["team"] = get_object_or_404(Team, pk=body.team) if body.team is not None else None
    image = get_object_or_404(isos, uuid=body.image) if body.image else None
    if image is not None:
        host, pool = host or image.pool.host, image.pool if body.as_it_is else pool or image.pool
    if host is not None and pool is not None:
        return NewDomain(
            **plain,
            host=host,
            pool=pool,
            network=network,
            image=image,
            as_it_is=image is not None and body.as_it_is,
        )
    return Anywhere(
        **plain, network=network.name if network else "", labels=frozenset(body.labels), only=host
    )


@router.post("", response={202: Accepted}, summary="Create a virtual machine")
def create(request: HttpRequest, body: NewDomainIn) -> Status[Accepted]:
    """202 with the operation; 404 for a host, pool, image or network that you may not see; 422 beside a field."""
    user = signed_in(request)
    require(user, Verb.DOMAIN_CREATE)
    new = _wish(user, body)
    return Status(
        202, accepted(creating.create(new=new, actor=user, idempotency_key=idempotency_key(request)))
    )
