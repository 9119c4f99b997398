"""Moments of a machine that it can go back to, the files that keep them, and the rule by which they are taken."""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.db import models
from django.db.models import Q

from accounts.models import User
from accounts.scoping import Permitted
from core.models import Observed
from domains.models.domain import Domain


class SnapshotMemory(models.TextChoices):
    """Whether the contents of the memory were kept, and where: in the disk's own file, or in one beside it."""

    NONE = "no", "Disks only"
    INTERNAL = "internal", "Disks and memory"
    EXTERNAL = "external", "Disks and memory (file)"


class SnapshotQuerySet(Permitted):
    """They belong to whom their machine belongs."""

    team_path = "domain__team"
    owner_path = "domain__owner"

    def present(self) -> SnapshotQuerySet:
        """Those that did not vanish."""
        return self.filter(gone_at=None)


class Snapshot(Observed):
    """One snapshot. `name` is libvirt's; `label` is what people call it, blank for those that others made."""

    uuid = models.UUIDField(unique=True, default=uuid.uuid4)
    domain = models.ForeignKey(Domain, on_delete=models.CASCADE, related_name="snapshots")

    # Owned.
    label = models.CharField(max_length=200, blank=True)
    description = models.TextField(blank=True)
    author = models.ForeignKey(User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    scheduled = models.BooleanField(default=False)

    # Observed. `parent` is the name of the one before, `external` says that its data lie in files of their own.
    name = models.CharField(max_length=255)
    parent = models.CharField(max_length=255, blank=True)
    taken_at = models.DateTimeField(null=True)
    running = models.BooleanField(default=False)
    memory = models.CharField(max_length=8, choices=SnapshotMemory.choices, default=SnapshotMemory.NONE)
    external = models.BooleanField(default=False)
    current = models.BooleanField(default=False)

    objects = SnapshotQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["taken_at", "pk"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["domain", "name"], condition=Q(gone_at=None), name="one_snapshot_per_domain_and_name"
            )
        ]

    def __str__(self) -> str:
        return self.label or self.name


class SnapshotFile(models.Model):
    """A file that a snapshot needs: what disk `target` had at that moment, or with a blank target the memory's.

    Where the snapshot is not `external`, the moment is kept within it, and the machine may still write to it.

    `format` is the one in which the machine had it, which is believed rather than the bytes.
    """

    snapshot = models.ForeignKey(Snapshot, on_delete=models.CASCADE, related_name="files")
    target = models.CharField(max_length=32, blank=True)
    path = models.CharField(max_length=1024, db_index=True)
    format = models.CharField(max_length=32, blank=True)

    class Meta:
        ordering: ClassVar = ["target", "pk"]

    def __str__(self) -> str:
        return self.path


class SnapshotSchedule(models.Model):
    """When snapshots of a machine are taken by themselves, and how many of those are kept.

    `every_hours` is 0 where it is once a day, `minute` minutes after midnight UTC. They are taken in the name of
    `actor`: without that person, or their right, none is taken. `told` says what came of the last time.
    """

    domain = models.OneToOneField(Domain, on_delete=models.CASCADE, related_name="snapshot_schedule")
    actor = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    every_hours = models.PositiveSmallIntegerField(default=0)
    minute = models.PositiveSmallIntegerField(default=0)
    keep = models.PositiveSmallIntegerField(default=7)
    memory = models.BooleanField(default=False)
    next_at = models.DateTimeField(db_index=True)
    last_at = models.DateTimeField(null=True)
    told = models.CharField(max_length=255, blank=True)

    def __str__(self) -> str:
        return f"snapshots of {self.domain_id}"
