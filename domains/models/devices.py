"""The devices of a machine, as last seen."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from domains.models.domain import Domain


class Presence(models.TextChoices):
    """Where a device stands: the values are those of `hypervisor.facts.Presence`."""

    BOTH = "both", "Plugged in"
    NOW = "now", "Until the next stop"
    NEXT = "next", "After the next start"


class DomainDisk(models.Model):
    """One disk or drive of a machine, as last seen."""

    domain = models.ForeignKey(Domain, on_delete=models.CASCADE, related_name="disks")
    target = models.CharField(max_length=32)
    bus = models.CharField(max_length=32, blank=True)
    device = models.CharField(max_length=16)
    path = models.CharField(max_length=1024, blank=True, db_index=True)
    pool_name = models.CharField(max_length=255, blank=True)
    volume_name = models.CharField(max_length=255, blank=True)
    format = models.CharField(max_length=32, blank=True)
    readonly = models.BooleanField(default=False)
    shareable = models.BooleanField(default=False)
    serial = models.CharField(max_length=64, blank=True)
    cache = models.CharField(max_length=16, blank=True)
    discard = models.CharField(max_length=16, blank=True)
    # As `hypervisor.limits.IoLimits` has them; 0 is none.
    read_bytes_s = models.BigIntegerField(default=0)
    write_bytes_s = models.BigIntegerField(default=0)
    read_iops = models.BigIntegerField(default=0)
    write_iops = models.BigIntegerField(default=0)
    present = models.CharField(max_length=8, choices=Presence.choices, default=Presence.BOTH)
    # What will be otherwise after the next start, as pairs: see `DiskFacts.pending`.
    pending = models.JSONField(default=list)

    class Meta:
        ordering: ClassVar = ["target"]

    def __str__(self) -> str:
        return f"{self.target} of {self.domain_id}"


class DomainFile(models.Model):
    """A file or device that a machine needs, now or at its next start: see `DiskFacts.files`.

    Where the machine names it by its pool and volume, `path` is blank.
    """

    domain = models.ForeignKey(Domain, on_delete=models.CASCADE, related_name="files")
    path = models.CharField(max_length=1024, blank=True, db_index=True)
    pool_name = models.CharField(max_length=255, blank=True)
    volume_name = models.CharField(max_length=255, blank=True)
    # Whether it is only read: see `DiskFile.base`.
    base = models.BooleanField(default=False)
    # Whether each of the machine's disks that need it may be shared.
    shareable = models.BooleanField(default=False)

    class Meta:
        ordering: ClassVar = ["pk"]

    def __str__(self) -> str:
        return self.path or f"{self.volume_name} in {self.pool_name}"


class DomainNic(models.Model):
    """One network card of a machine, as last seen."""

    domain = models.ForeignKey(Domain, on_delete=models.CASCADE, related_name="nics")
    mac = models.CharField(max_length=17)
    kind = models.CharField(max_length=16)
    source = models.CharField(max_length=255, blank=True)
    model = models.CharField(max_length=32, blank=True)
    link_up = models.BooleanField(default=True)
    # Averages as `hypervisor.facts.NicFacts` has them; 0 is no limit.
    inbound_kib_s = models.PositiveIntegerField(default=0)
    outbound_kib_s = models.PositiveIntegerField(default=0)
    present = models.CharField(max_length=8, choices=Presence.choices, default=Presence.BOTH)
    # What will be otherwise after the next start, as pairs: see `NicFacts.pending`.
    pending = models.JSONField(default=list)

    class Meta:
        ordering: ClassVar = ["pk"]

    def __str__(self) -> str:
        return self.mac


class DomainDevice(models.Model):
    """Another device of a machine, as last seen; `key` is what it is known by, see `hypervisor.facts.DeviceFacts`."""

    domain = models.ForeignKey(Domain, on_delete=models.CASCADE, related_name="devices")
    kind = models.CharField(max_length=16)
    key = models.CharField(max_length=255, db_index=True)
    model = models.CharField(max_length=64, blank=True)
    detail = models.CharField(max_length=255, blank=True)
    present = models.CharField(max_length=8, choices=Presence.choices, default=Presence.BOTH)

    class Meta:
        ordering: ClassVar = ["pk"]

    def __str__(self) -> str:
        return self.key
