"""REST for a machine's network cards and other devices: the pages' actions."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpRequest
from ninja import Field, Schema, Status

from accounts.permissions import Verb
from core.http import idempotency_key, signed_in
from domains.actions import devices as actions
from domains.api.common import Accepted, accepted, permitted, router
from domains.device_wishes import MOST_KIB_S, MOST_RNG_BYTES_S, NewDevice, NewNic, NicWish
from domains.models import DomainDevice
from domains.passthrough import Offer, offers


class NicIn(Schema):
    """A network card. `kind` is "network" or "bridge", `source` its name on the host; a blank `mac` is chosen.

    The limits are averages in KiB (1,024 bytes) per second, 0 for none; `inbound` is what the guest receives.
    """

    kind: str = "network"
    source: str = Field(max_length=255)
    mac: str = Field("", max_length=17)
    model: str = "virtio"
    link_up: bool = True
    inbound_kib_s: int = Field(0, ge=0, le=MOST_KIB_S)
    outbound_kib_s: int = Field(0, ge=0, le=MOST_KIB_S)


class NicChangeIn(Schema):
    """What becomes different about a card; what is missing stays. `kind` and `source` go together.

    All but the `model` changes at once where the machine runs.
    """

    kind: str | None = None
    source: str | None = Field(None, max_length=255)
    model: str | None = None
    link_up: bool | None = None
    inbound_kib_s: int | None = Field(None, ge=0, le=MOST_KIB_S)
    outbound_kib_s: int | None = Field(None, ge=0, le=MOST_KIB_S)


class DeviceIn(Schema):
    """`kind` is agent, rng, serial, sound or watchdog. `action` is a watchdog's, `rate_bytes_s` the limit of an rng."""

    kind: str
    action: str = "reset"
    rate_bytes_s: int = Field(0, ge=0, le=MOST_RNG_BYTES_S)


class DeviceKey(Schema):
    """What the list of the machine's devices calls it."""

    key: str = Field(max_length=255)


class VideoIn(Schema):
    """`model` is virtio, qxl, vga or bochs."""

    model: str


class DeviceOut(Schema):
    """A device. `present` is "both", or "now" (gone when the machine stops), or "next" (there from its next start)."""

    kind: str
    key: str
    model: str
    detail: str
    present: str


class HostDeviceIn(Schema):
    """The `name` of a device of the machine's host."""

    device: str = Field(max_length=128)


class HostDeviceOut(Schema):
    """A PCI or USB device of the machine's host; `reason` says why it can't be given, blank where it can."""

    name: str = Field(alias="device.name")
    kind: str = Field(alias="device.kind")
    address: str = Field(alias="device.address")
    vendor_id: str = Field(alias="device.vendor_id")
    product_id: str = Field(alias="device.product_id")
    vendor: str = Field(alias="device.vendor")
    product: str = Field(alias="device.product")
    driver: str = Field(alias="device.driver")
    iommu_group: int | None = Field(alias="device.iommu_group")
    reason: str


@router.post("/{uuid:uuid}/nics", response={202: Accepted}, summary="Add a network card")
def add_nic(request: HttpRequest, uuid: UUID, body: NicIn) -> Status[Accepted]:
    """202 with the operation; 422 for a network that is not there, and for an address that another machine has."""
    operation = actions.add_nic(
        domain=permitted(request, uuid, Verb.DOMAIN_EDIT),
        nic=NewNic(**body.dict()),
        actor=signed_in(request),
        idempotency_key=idempotency_key(request),
    )
    return Status(202, accepted(operation))


@router.put("/{uuid:uuid}/nics/{mac}", response={202: Accepted}, summary="Change a network card")
def change_nic(request: HttpRequest, uuid: UUID, mac: str, body: NicChangeIn) -> Status[Accepted]:
    """202 with the operation; the card keeps its address, and what it was is restored where a step fails."""
    operation = actions.change_nic(
        domain=permitted(request, uuid, Verb.DOMAIN_EDIT),
        mac=mac,
        wish=NicWish(**body.dict()),
        actor=signed_in(request),
        idempotency_key=idempotency_key(request),
    )
    return Status(202, accepted(operation))


@router.delete("/{uuid:uuid}/nics/{mac}", response={202: Accepted}, summary="Take a network card out")
def detach_nic(request: HttpRequest, uuid: UUID, mac: str) -> Status[Accepted]:
    """202 with the operation; it fails where the guest does not let go of the card."""
    operation = actions.detach_nic(
        domain=permitted(request, uuid, Verb.DOMAIN_EDIT),
        mac=mac,
        actor=signed_in(request),
        idempotency_key=idempotency_key(request),
    )
    return Status(202, accepted(operation))


@router.get("/{uuid:uuid}/devices", response=list[DeviceOut], summary="A machine's other devices")
def list_devices(request: HttpRequest, uuid: UUID) -> list[DomainDevice]:
    """All but disks, network cards and screens."""
    return list(permitted(request, uuid, Verb.DOMAIN_VIEW).devices.all())


@router.post("/{uuid:uuid}/devices", response={202: Accepted}, summary="Add a device")
def add_device(request: HttpRequest, uuid: UUID, body: DeviceIn) -> Status[Accepted]:
    """202 with the operation; what QEMU can't take in while the machine runs comes with its next start."""
    operation = actions.add_device(
        domain=permitted(request, uuid, Verb.DOMAIN_EDIT),
        device=NewDevice(**body.dict()),
        actor=signed_in(request),
        idempotency_key=idempotency_key(request),
    )
    return Status(202, accepted(operation))


@router.post("/{uuid:uuid}/devices/detach", response={202: Accepted}, summary="Take a device out")
def detach_device(request: HttpRequest, uuid: UUID, body: DeviceKey) -> Status[Accepted]:
    """202 with the operation; 409 for one that is not there or that every machine keeps."""
    operation = actions.detach_device(
        domain=permitted(request, uuid, Verb.DOMAIN_EDIT),
        key=body.key,
        actor=signed_in(request),
        idempotency_key=idempotency_key(request),
    )
    return Status(202, accepted(operation))


@router.put("/{uuid:uuid}/video", response={202: Accepted}, summary="Change the video card")
def change_video(request: HttpRequest, uuid: UUID, body: VideoIn) -> Status[Accepted]:
    """202 with the operation; it changes with the next start."""
    operation = actions.change_video(
        domain=permitted(request, uuid, Verb.DOMAIN_EDIT),
        model=body.model,
        actor=signed_in(request),
        idempotency_key=idempotency_key(request),
    )
    return Status(202, accepted(operation))


@router.get(
    "/{uuid:uuid}/host-devices", response=list[HostDeviceOut], summary="What its host could give a machine"
)
def list_host_devices(request: HttpRequest, uuid: UUID) -> list[Offer]:
    """Every PCI and USB device of the host, with the reason where it can't be given."""
    return offers(permitted(request, uuid, Verb.DOMAIN_PASSTHROUGH))


@router.post("/{uuid:uuid}/host-devices", response={202: Accepted}, summary="Give a machine a device")
def attach_host_device(request: HttpRequest, uuid: UUID, body: HostDeviceIn) -> Status[Accepted]:
    """202 with the operation; 409 with the reason where it can't be given."""
    operation = actions.attach_host_device(
        domain=permitted(request, uuid, Verb.DOMAIN_PASSTHROUGH),
        device=body.device,
        actor=signed_in(request),
        idempotency_key=idempotency_key(request),
    )
    return Status(202, accepted(operation))


@router.post("/{uuid:uuid}/host-devices/detach", response={202: Accepted}, summary="Give a device back")
def detach_host_device(request: HttpRequest, uuid: UUID, body: DeviceKey) -> Status[Accepted]:
    """202 with the operation; `key` is that of the machine's own list."""
    operation = actions.detach_host_device(
        domain=permitted(request, uuid, Verb.DOMAIN_PASSTHROUGH),
        key=body.key,
        actor=signed_in(request),
        idempotency_key=idempotency_key(request),
    )
    return Status(202, accepted(operation))
