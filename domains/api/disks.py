"""REST for disks and drives: the pages' actions. `Idempotency-Key` makes a repeat harmless."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from ninja import Field, Schema, Status

from accounts.permissions import Verb
from core.errors import InvalidInput
from core.http import idempotency_key, signed_in
from domains import disk_choices
from domains.actions import disks as actions
from domains.actions import media
from domains.api.common import Accepted, accepted, permitted, router
from domains.disk_wishes import DiskSettings, ExistingDisk, NewDisk
from domains.models import DomainDisk
from hypervisor.limits import IoLimits
from hypervisor.specs import CacheMode, Discard, DiskBus, ImageFormat


class SettingsIn(Schema):
    """How a disk is plugged in. Limits are per second, in bytes and requests; 0 is none."""

    bus: DiskBus = DiskBus.VIRTIO
    cache: CacheMode = CacheMode.DEFAULT
    discard: Discard = Discard.UNMAP
    read_bytes_s: int = 0
    write_bytes_s: int = 0
    read_iops: int = 0
    write_iops: int = 0

    def settings(self) -> DiskSettings:
        """As the action takes them."""
        return DiskSettings(
            bus=self.bus.value,
            cache=self.cache.value,
            discard=self.discard.value,
            limits=IoLimits(
                read_bytes_s=self.read_bytes_s,
                write_bytes_s=self.write_bytes_s,
                read_iops=self.read_iops,
                write_iops=self.write_iops,
            ),
        )


class NewDiskIn(SettingsIn):
    """A new, empty disk of `size_gib` in the pool, which is named by its UUID."""

    pool: UUID
    size_gib: int
    format: ImageFormat = ImageFormat.QCOW2


class ExistingDiskIn(SettingsIn):
    """A volume that is there. `shareable` lets several machines have it at the same time: raw disks only."""

    volume: UUID
    shareable: bool = False


class ChangeDiskIn(Schema):
    """What becomes different; what is left out stays. The bus changes only while the machine is off."""

    bus: DiskBus | None = None
    cache: CacheMode | None = None
    discard: Discard | None = None
    read_bytes_s: int | None = None
    write_bytes_s: int | None = None
    read_iops: int | None = None
    write_iops: int | None = None


class ResizeIn(Schema):
    """More than it has."""

    size_gib: int


class DetachIn(Schema):
    """Whether the volume is deleted for ever, and how many seconds a running guest has to let go."""

    delete_volume: bool = False
    patience_s: int = Field(actions.PATIENCE_S, ge=1, le=actions.MAX_PATIENCE_S)


class MediumIn(Schema):
    """The image's volume, null to eject; `force` opens a tray that the guest has locked."""

    image: UUID | None = None
    force: bool = False


class VolumeOut(Schema):
    """A volume that may be chosen."""

    uuid: UUID
    label: str
    name: str
    format: str
    capacity_bytes: int


@router.post("/{uuid:uuid}/disks", response={202: Accepted}, summary="Add a new disk")
def add_disk(request: HttpRequest, uuid: UUID, body: NewDiskIn) -> Status[Accepted]:
    """202 with the operation; 422 beside a field; 409 in a state without that."""
    domain, user = permitted(request, uuid, Verb.DOMAIN_EDIT), signed_in(request)
    pool = get_object_or_404(disk_choices.pools(user, domain), uuid=body.pool)
    new = NewDisk(pool=pool, size_gib=body.size_gib, format=body.format.value, settings=body.settings())
    key = idempotency_key(request)
    return Status(202, accepted(actions.add(domain=domain, new=new, actor=user, idempotency_key=key)))


@router.get("/{uuid:uuid}/disks/attachable", response=list[VolumeOut], summary="List disks to attach")
def attachable(request: HttpRequest, uuid: UUID) -> list[VolumeOut]:
    """The volumes on its host that nothing uses and that may be attached."""
    domain = permitted(request, uuid, Verb.DOMAIN_EDIT)
    return [VolumeOut.from_orm(one) for one in disk_choices.unused(signed_in(request), domain)]


@router.post("/{uuid:uuid}/disks/attach", response={202: Accepted}, summary="Attach an existing disk")
def attach_disk(request: HttpRequest, uuid: UUID, body: ExistingDiskIn) -> Status[Accepted]:
    """202 with the operation; 422 for a volume that something else needs, with what that is."""
    domain, user = permitted(request, uuid, Verb.DOMAIN_EDIT), signed_in(request)
    volume = get_object_or_404(disk_choices.volumes(user, domain), uuid=body.volume)
    wanted = ExistingDisk(volume=volume, shareable=body.shareable, settings=body.settings())
    key = idempotency_key(request)
    return Status(
        202, accepted(actions.attach(domain=domain, wanted=wanted, actor=user, idempotency_key=key))
    )


@router.patch("/{uuid:uuid}/disks/{target}", response={202: Accepted}, summary="Change a disk")
def change_disk(request: HttpRequest, uuid: UUID, target: str, body: ChangeDiskIn) -> Status[Accepted]:
    """202 with the operation. Limits change at once, cache and discard with the next start."""
    domain = permitted(request, uuid, Verb.DOMAIN_EDIT)
    operation = actions.change(
        domain=domain,
        target=target,
        settings=_changed(actions.disk_of(domain, target), body),
        actor=signed_in(request),
        idempotency_key=idempotency_key(request),
    )
    return Status(202, accepted(operation))


def _changed(disk: DomainDisk, body: ChangeDiskIn) -> DiskSettings:
    now = actions.settings_of(disk)

    def number(name: str) -> int:
        given: int | None = getattr(body, name)
        before: int = getattr(now.limits, name)
        return before if given is None else given

    names = ("read_bytes_s", "write_bytes_s", "read_iops", "write_iops")
    return DiskSettings(
        bus=body.bus.value if body.bus else now.bus,
        cache=body.cache.value if body.cache else now.cache,
        discard=body.discard.value if body.discard else now.discard,
        limits=IoLimits(**{name: number(name) for name in names}),
    )


@router.post("/{uuid:uuid}/disks/{target}/resize", response={202: Accepted}, summary="Make a disk larger")
def resize_disk(request: HttpRequest, uuid: UUID, target: str, body: ResizeIn) -> Status[Accepted]:
    """202 with the operation, also while the machine runs; 422 for less than the disk has."""
    operation = actions.resize(
        domain=permitted(request, uuid, Verb.DOMAIN_EDIT),
        target=target,
        size_gib=body.size_gib,
        actor=signed_in(request),
        idempotency_key=idempotency_key(request),
    )
    return Status(202, accepted(operation))


@router.post("/{uuid:uuid}/disks/{target}/detach", response={202: Accepted}, summary="Detach a disk")
def detach_disk(request: HttpRequest, uuid: UUID, target: str, body: DetachIn) -> Status[Accepted]:
    """202 with the operation, which fails where the guest does not let go in time: then all is as before."""
    operation = actions.detach(
        domain=permitted(request, uuid, Verb.DOMAIN_EDIT),
        target=target,
        actor=signed_in(request),
        delete_volume=body.delete_volume,
        patience_s=body.patience_s,
        idempotency_key=idempotency_key(request),
    )
    return Status(202, accepted(operation))


@router.post("/{uuid:uuid}/drives", response={202: Accepted}, summary="Add a CD drive")
def add_drive(request: HttpRequest, uuid: UUID) -> Status[Accepted]:
    """202 with the operation; 409 unless the machine is off."""
    domain, user = permitted(request, uuid, Verb.DOMAIN_EDIT), signed_in(request)
    return Status(
        202, accepted(media.add_drive(domain=domain, actor=user, idempotency_key=idempotency_key(request)))
    )


@router.get("/{uuid:uuid}/drives/{target}/images", response=list[VolumeOut], summary="List fitting images")
def images(request: HttpRequest, uuid: UUID, target: str) -> list[VolumeOut]:
    """The images on its host that fit into the drive."""
    domain = permitted(request, uuid, Verb.DOMAIN_EDIT)
    device = media.drive_of(domain, target).device
    return [VolumeOut.from_orm(one) for one in disk_choices.images(signed_in(request), domain, device)]


@router.put(
    "/{uuid:uuid}/drives/{target}/medium", response={202: Accepted}, summary="Change or eject a medium"
)
def change_medium(request: HttpRequest, uuid: UUID, target: str, body: MediumIn) -> Status[Accepted]:
    """202 with the operation; it fails with the reason where the guest has locked the tray."""
    domain, user = permitted(request, uuid, Verb.DOMAIN_EDIT), signed_in(request)
    image = None
    if body.image is not None:
        fitting = disk_choices.images(user, domain, media.drive_of(domain, target).device)
        image = fitting.filter(uuid=body.image).first()
        if image is None:
            raise InvalidInput("There is no such image for this drive.", field="image")
    operation = media.change(
        domain=domain,
        target=target,
        image=image,
        actor=user,
        force=body.force,
        idempotency_key=idempotency_key(request),
    )
    return Status(202, accepted(operation))


@router.post("/{uuid:uuid}/drives/{target}/detach", response={202: Accepted}, summary="Take a drive out")
def detach_drive(request: HttpRequest, uuid: UUID, target: str) -> Status[Accepted]:
    """202 with the operation; 409 unless the machine is off."""
    operation = media.detach_drive(
        domain=permitted(request, uuid, Verb.DOMAIN_EDIT),
        target=target,
        actor=signed_in(request),
        idempotency_key=idempotency_key(request),
    )
    return Status(202, accepted(operation))
