"""Which watchers there are, and which of them has which host."""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.db import models

from hosts.models import Host


class Watcher(models.Model):
    """One process of `manage.py watch`, for as long as it says so: `seen_at` is on the database's clock."""

    uuid = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=120)
    # Whether it runs on a machine whose own libvirt is not the panel's.
    remote_only = models.BooleanField(default=False)
    seen_at = models.DateTimeField()

    class Meta:
        ordering: ClassVar = ["name"]

    def __str__(self) -> str:
        return self.name


class Claim(models.Model):
    """Who watches a host. `epoch` grows with each change of hands: who still has an older one must not write."""

    host = models.OneToOneField(Host, primary_key=True, on_delete=models.CASCADE, related_name="claim")
    watcher = models.ForeignKey(Watcher, null=True, on_delete=models.SET_NULL, related_name="claims")
    epoch = models.PositiveBigIntegerField(default=0)
    lease_until = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"claim on {self.host_id}"
