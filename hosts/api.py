"""REST: hosts as last seen."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from ninja import Router, Schema
from ninja.pagination import paginate

from accounts.permissions import Verb
from accounts.scoping import require
from core.http import signed_in
from core.paging import Paging
from hosts import actions
from hosts.models import Host, HostQuerySet

router = Router(tags=["hosts"])


class HostOut(Schema):
    """A host as last seen; memory in MiB. `kvm_reason` is a value of `hypervisor.acceleration.AccelerationReason`."""

    uuid: UUID
    name: str
    state: str
    error: str
    maintenance: bool
    hostname: str
    libvirt_version: str
    qemu_version: str
    cpu_arch: str
    cpu_model: str
    cpus: int
    memory_mib: int
    memory_free_mib: int
    kvm: bool
    kvm_reason: str
    virtualized_by: str
    uefi: bool
    latency_ms: float | None
    seen_at: datetime | None


class MaintenanceIn(Schema):
    """Whether new machines are kept away."""

    on: bool


def _visible(request: HttpRequest) -> HostQuerySet:
    hosts: HostQuerySet = Host.objects.permitted(signed_in(request), Verb.HOST_VIEW).present()
    return hosts


@router.get("", response=list[HostOut])
@paginate(Paging)
def list_hosts(request: HttpRequest) -> HostQuerySet:
    """All hosts, by name."""
    require(signed_in(request), Verb.HOST_VIEW)
    return _visible(request)


@router.get("/{uuid}", response=HostOut)
def get_host(request: HttpRequest, uuid: UUID) -> Host:
    """One host."""
    host: Host = get_object_or_404(_visible(request), uuid=uuid)
    return host


@router.put("/{uuid}/maintenance", response=HostOut)
def put_maintenance(request: HttpRequest, uuid: UUID, wanted: MaintenanceIn) -> Host:
    """Keep new machines away, or let them come again."""
    host: Host = get_object_or_404(_visible(request), uuid=uuid)
    actions.set_maintenance(host=host, actor=signed_in(request), on=wanted.on)
    host.refresh_from_db()
    return host
