"""REST: hosts as last seen, and what people say of them."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from django.db.models import QuerySet
from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from ninja import Router, Schema, Status
from ninja.pagination import paginate
from pydantic import Field

from accounts.permissions import Verb
from accounts.scoping import require
from core.http import signed_in
from core.paging import Paging
from hosts.actions import check, manage, trust
from hosts.actions.details import LEAST_OVERCOMMIT, MOST_OVERCOMMIT, HostDetails
from hosts.actions.maintenance import set_maintenance
from hosts.checks import shown
from hosts.models import CheckState, Credentials, Host, HostEvent, HostQuerySet, Transport
from operations.api import OperationOut
from operations.models import Operation

router = Router(tags=["hosts"])


class NumaCellOut(Schema):
    """CPUs and the memory near to them, in MiB."""

    id: int
    cpus: int
    memory_mib: int
    memory_free_mib: int


class HugepagesOut(Schema):
    """Pages of one size that were set aside, and those of them that are free."""

    size_kib: int
    total: int
    free: int


class HostOut(Schema):
    """A host as last seen; memory in MiB. `kvm_reason` is a value of `hypervisor.acceleration.AccelerationReason`.

    `insecure_since` is set where its connection is not encrypted because somebody said yes to that.
    """

    uuid: UUID
    name: str
    transport: Transport
    address: str
    port: int | None
    username: str
    insecure_since: datetime | None
    migration_address: str
    description: str
    labels: list[str]
    cpu_overcommit: float
    memory_overcommit: float
    maintenance: bool
    state: str
    error: str
    hostname: str
    libvirt_version: str
    qemu_version: str
    cpu_arch: str
    cpu_model: str
    cpus: int
    cpu_percent: float | None
    memory_mib: int
    memory_free_mib: int
    numa_cells: list[NumaCellOut]
    hugepages: list[HugepagesOut]
    domains_total: int
    domains_running: int
    vcpus_running: int
    memory_running_mib: int
    kvm: bool
    kvm_reason: str
    virtualized_by: str
    uefi: bool
    latency_ms: float | None
    seen_at: datetime | None


class HostIn(Schema):
    """What people say of a host. `port` null is the transport's own; `username` is for SSH, or for consoles by SSH.

    `insecure` says yes to TCP, which has neither encryption nor sign-in, and is a right of its own.
    """

    transport: Transport = Transport.SSH
    address: str = Field("", max_length=260)
    port: int | None = None
    username: str = Field("", max_length=60)
    name: str = Field("", max_length=200, description="Blank: the address.")
    labels: list[str] = Field(default_factory=list, max_length=100)
    description: str = Field("", max_length=4000)
    migration_address: str = Field("", max_length=260, description="Blank: the address.")
    cpu_overcommit: float = Field(4.0, ge=LEAST_OVERCOMMIT, le=MOST_OVERCOMMIT)
    memory_overcommit: float = Field(1.0, ge=LEAST_OVERCOMMIT, le=MOST_OVERCOMMIT)
    insecure: bool = False

    def details(self) -> HostDetails:
        """For the action."""
        return HostDetails(**self.dict())


class MaintenanceIn(Schema):
    """Whether new machines are kept away."""

    on: bool


class AccessOut(Schema):
    """What the panel is let in by and knows the host by, as fingerprints as `ssh-keygen -l` shows them.

    `host_key_offered` is what the host showed last and nobody has confirmed. Private keys are never given out.
    """

    ssh_public_key: str
    host_key: str
    host_key_offered: str
    has_certificates: bool


class HostKeyIn(Schema):
    """The fingerprint of the offered key that is right: SHA256:…"""

    fingerprint: str = Field(max_length=100)


class CertificatesIn(Schema):
    """All as PEM: the authority's certificate, the panel's, and the panel's private key without a passphrase."""

    ca: str = Field(max_length=trust.LONGEST_PEM)
    certificate: str = Field(max_length=trust.LONGEST_PEM)
    key: str = Field(max_length=trust.LONGEST_PEM)


class CheckOut(Schema):
    """One check as it last ended; lines of `fix` that begin with "$ " are commands for the host."""

    key: str
    title: str
    state: CheckState
    detail: str
    fix: str
    checked_at: datetime | None


class CheckIn(Schema):
    """Which check to do again, with those that hang on it; all where it is blank."""

    key: str = Field("", max_length=40)


class EventOut(Schema):
    """Something that happened to the host."""

    at: datetime
    kind: str
    text: str


def _visible(request: HttpRequest) -> HostQuerySet:
    hosts: HostQuerySet = Host.objects.permitted(signed_in(request), Verb.HOST_VIEW).present()
    return hosts


def _host(request: HttpRequest, uuid: UUID) -> Host:
    host: Host = get_object_or_404(_visible(request), uuid=uuid)
    return host


@router.get("", response=list[HostOut])
@paginate(Paging)
def list_hosts(request: HttpRequest) -> HostQuerySet:
    """All hosts, by name."""
    require(signed_in(request), Verb.HOST_VIEW)
    return _visible(request)


@router.post("", response={201: HostOut})
def add_host(request: HttpRequest, wanted: HostIn) -> Status[Host]:
    """Take a machine up; it is kept whatever its checks, which begin at once, say."""
    return Status(201, manage.add(actor=signed_in(request), details=wanted.details()))


@router.get("/{uuid}", response=HostOut)
def get_host(request: HttpRequest, uuid: UUID) -> Host:
    """One host."""
    return _host(request, uuid)


@router.put("/{uuid}", response=HostOut)
def change_host(request: HttpRequest, uuid: UUID, wanted: HostIn) -> Host:
    """Say something else of it; what is left out becomes what it is by default."""
    host = _host(request, uuid)
    manage.change(host=host, actor=signed_in(request), details=wanted.details())
    host.refresh_from_db()
    return host


@router.delete("/{uuid}", response={204: None})
def remove_host(request: HttpRequest, uuid: UUID) -> Status[None]:
    """Forget it and the credentials for it. Its machines run on; nothing on the host is touched."""
    manage.remove(host=_host(request, uuid), actor=signed_in(request))
    return Status(204, None)


@router.put("/{uuid}/maintenance", response=HostOut)
def put_maintenance(request: HttpRequest, uuid: UUID, wanted: MaintenanceIn) -> Host:
    """Keep new machines away, or let them come again."""
    host = _host(request, uuid)
    set_maintenance(host=host, actor=signed_in(request), on=wanted.on)
    host.refresh_from_db()
    return host


@router.get("/{uuid}/access", response=AccessOut)
def get_access(request: HttpRequest, uuid: UUID) -> AccessOut:
    """The panel's public key to put on the host, and the host's key."""
    known = Credentials.objects.unopened().filter(host=_host(request, uuid)).first() or Credentials()
    return AccessOut(
        ssh_public_key=known.ssh_public_key,
        host_key=shown.fingerprint(known.host_key),
        host_key_offered=shown.fingerprint(known.offered_host_key),
        has_certificates=bool(known.client_certificate),
    )


@router.put("/{uuid}/access/host-key", response={204: None})
def confirm_host_key(request: HttpRequest, uuid: UUID, wanted: HostKeyIn) -> Status[None]:
    """Trust the key that the host showed last."""
    trust.confirm_host_key(
        host=_host(request, uuid), actor=signed_in(request), fingerprint=wanted.fingerprint
    )
    return Status(204, None)


@router.post("/{uuid}/access/key", response={204: None})
def replace_key(request: HttpRequest, uuid: UUID) -> Status[None]:
    """Make a new key pair for the panel; it can't sign in until the public half is on the host."""
    trust.replace_key_pair(host=_host(request, uuid), actor=signed_in(request))
    return Status(204, None)


@router.put("/{uuid}/access/certificates", response={204: None})
def put_certificates(request: HttpRequest, uuid: UUID, wanted: CertificatesIn) -> Status[None]:
    """Certificates for TLS. They are never given out again."""
    trust.set_certificates(host=_host(request, uuid), actor=signed_in(request), **wanted.dict())
    return Status(204, None)


@router.get("/{uuid}/checks", response=list[CheckOut])
def list_checks(request: HttpRequest, uuid: UUID) -> list[CheckOut]:
    """All its checks, in their order."""
    return [
        CheckOut(
            key=one.row.key,
            title=one.title,
            state=CheckState(one.row.state),
            detail=one.row.detail,
            fix=one.row.fix,
            checked_at=one.row.checked_at,
        )
        for one in shown.checks(_host(request, uuid))
    ]


@router.post("/{uuid}/checks", response={202: OperationOut})
def check_host(request: HttpRequest, uuid: UUID, wanted: CheckIn) -> Status[Operation]:
    """Check it again."""
    operation = check.again(host=_host(request, uuid), actor=signed_in(request), key=wanted.key)
    return Status(202, operation)


@router.get("/{uuid}/events", response=list[EventOut])
def list_events(request: HttpRequest, uuid: UUID) -> QuerySet[HostEvent]:
    """What happened to it, the newest first; no more than a few hundred are kept."""
    return HostEvent.objects.filter(host=_host(request, uuid))
