"""Pools and volumes as last seen, and uploads on their way."""

from __future__ import annotations

import shlex
import uuid
from typing import ClassVar

from django.db import models
from django.urls import reverse

from accounts.models import Team, User
from accounts.scoping import Permitted
from core.models import Observed
from hosts.models import Host


class PoolQuerySet(Permitted):
    """Global roles only."""

    def present(self) -> PoolQuerySet:
        """Those that did not vanish, on hosts that were not removed."""
        return self.filter(gone_at=None, host__gone_at=None)


class Pool(Observed):
    """One storage pool. All columns are observed; `uuid` is libvirt's and unique on its host. Sizes in bytes."""

    host = models.ForeignKey(Host, on_delete=models.CASCADE, related_name="pools")
    uuid = models.UUIDField()
    name = models.CharField(max_length=255)
    kind = models.CharField(max_length=32)
    state = models.CharField(max_length=16)
    path = models.CharField(max_length=1024, blank=True)
    capacity_bytes = models.BigIntegerField(default=0)
    allocation_bytes = models.BigIntegerField(default=0)
    available_bytes = models.BigIntegerField(default=0)
    # Other hosts' pools that are the same storage: what one host wrote, the other found.
    shared_with = models.ManyToManyField("self", blank=True)

    objects = PoolQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["host__name", "name"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["host", "uuid"], name="one_pool_per_host_and_uuid")
        ]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        """Its page; the host tells apart pools of one UUID on hosts that were made from one image."""
        return f"{reverse('storage:pool', args=[self.uuid])}?host={self.host.uuid}"

    @property
    def usable(self) -> bool:
        """Whether volumes can be made in it now."""
        return self.state == "running"

    @property
    def used_percent(self) -> int:
        """How full it is, 0 to 100."""
        return round(100 * self.allocation_bytes / self.capacity_bytes) if self.capacity_bytes else 0


class VolumeKind(models.TextChoices):
    """What a volume is for. Disks are those that the panel made or inspected; ISO images are told by their bytes."""

    DISK = "disk", "Disk"
    ISO = "iso", "ISO image"
    OTHER = "other", "Other file"


class VolumeQuerySet(Permitted):
    """Global roles only."""

    def present(self) -> VolumeQuerySet:
        """Those that are there and ready to be used."""
        return self.filter(gone_at=None, ready=True, pool__gone_at=None)


class Volume(Observed):
    """One volume of a pool.

    `name` is the file's name on the host: for volumes of ours it is made from `uuid`, never from what people type;
    `label` is what people call it. `ready` is false while it is being made or filled.
    """

    uuid = models.UUIDField(unique=True, default=uuid.uuid4)
    pool = models.ForeignKey(Pool, on_delete=models.CASCADE, related_name="volumes")

    # Owned.
    label = models.CharField(max_length=200, blank=True)
    kind = models.CharField(max_length=8, choices=VolumeKind.choices, default=VolumeKind.OTHER)
    ours = models.BooleanField(default=False)
    ready = models.BooleanField(default=True)
    sha256 = models.CharField(max_length=64, blank=True)
    # Whose machine it was made for, or was last taken out of: nobody else's gets it.
    team = models.ForeignKey(Team, null=True, blank=True, on_delete=models.SET_NULL, related_name="volumes")
    # What the file it came in said of its machine (OVF): `vcpus`, `memory_mib`, `name`.
    hints = models.JSONField(default=dict)
    created_at = models.DateTimeField(auto_now_add=True)

    # Observed.
    name = models.CharField(max_length=255)
    path = models.CharField(max_length=1024, blank=True)
    format = models.CharField(max_length=32, blank=True)
    capacity_bytes = models.BigIntegerField(default=0)
    allocation_bytes = models.BigIntegerField(default=0)
    backing_path = models.CharField(max_length=1024, blank=True)
    details = models.JSONField(default=dict)

    objects = VolumeQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["label", "name"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["pool", "name"], condition=models.Q(gone_at=None), name="one_volume_per_pool_and_name"
            )
        ]

    def __str__(self) -> str:
        return self.label or self.name


class UploadState(models.TextChoices):
    """RECEIVING until the last byte is here; then an operation checks it and streams it into the pool."""

    RECEIVING = "receiving", "Uploading"
    STORING = "storing", "Checking and storing"
    STORED = "stored", "Stored"
    REFUSED = "refused", "Refused"


class UploadQuerySet(Permitted):
    """A person's own, and everybody's for those who manage storage."""

    owner_path = "owner"


class Upload(models.Model):
    """One file on its way (tus 1.0). Its bytes lie in the uploads folder, in a file named after `uuid`."""

    uuid = models.UUIDField(unique=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(User, on_delete=models.CASCADE, related_name="uploads")
    pool = models.ForeignKey(Pool, on_delete=models.CASCADE, related_name="uploads")
    volume = models.ForeignKey(Volume, null=True, on_delete=models.SET_NULL, related_name="+")
    filename = models.CharField(max_length=200)
    fingerprint = models.CharField(max_length=200, blank=True)
    size_bytes = models.BigIntegerField()
    offset_bytes = models.BigIntegerField(default=0)
    state = models.CharField(max_length=10, choices=UploadState.choices, default=UploadState.RECEIVING)
    error = models.TextField(blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    touched_at = models.DateTimeField(auto_now=True)

    objects = UploadQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-created_at"]

    def __str__(self) -> str:
        return self.filename


class ExportState(models.TextChoices):
    """MAKING until the whole file is in the exports folder."""

    MAKING = "making", "Being made"
    READY = "ready", "Ready"


class ExportQuerySet(Permitted):
    """Global roles only."""


class Export(models.Model):
    """A disk as one file for people to take away. It lies in the exports folder, in a file named after `uuid`."""

    uuid = models.UUIDField(unique=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(User, on_delete=models.CASCADE, related_name="exports")
    volume = models.ForeignKey(Volume, on_delete=models.CASCADE, related_name="exports")
    state = models.CharField(max_length=8, choices=ExportState.choices, default=ExportState.MAKING)
    filename = models.CharField(max_length=210)
    size_bytes = models.BigIntegerField(default=0)
    sha256 = models.CharField(max_length=64, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(null=True)

    objects = ExportQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-created_at"]

    def __str__(self) -> str:
        return self.filename

    @property
    def command_file(self) -> str:
        """Its name as a shell takes it."""
        return shlex.quote(self.filename)

    @property
    def command_name(self) -> str:
        """The same without its ending: what an image service calls it."""
        return shlex.quote(self.filename.removesuffix(".qcow2"))
