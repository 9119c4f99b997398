"""What a machine's guest says of itself, and which addresses it has. All of it is the guest's word, and hostile."""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.db import models

from core.sealed import SealedTextField
from domains.models.domain import Domain


class AgentState(models.TextChoices):
    """Whether a guest agent can be spoken to."""

    UNKNOWN = "unknown", "Not asked yet"
    NONE = "none", "No channel"
    DISCONNECTED = "disconnected", "Not running"
    CONNECTED = "connected", "Answers"
    SILENT = "silent", "Does not answer"


class Guest(models.Model):
    """One machine's guest, as its agent last told; `told_at` is None where it never did.

    `users` are the names of those signed in. `filesystems` have `mountpoint`, `kind`, `used_bytes` and `total_bytes`.
    """

    domain = models.OneToOneField(Domain, on_delete=models.CASCADE, related_name="guest")
    agent = models.CharField(max_length=12, choices=AgentState.choices, default=AgentState.UNKNOWN)
    hostname = models.CharField(max_length=255, blank=True)
    os = models.CharField(max_length=255, blank=True)
    kernel = models.CharField(max_length=255, blank=True)
    timezone = models.CharField(max_length=64, blank=True)
    users = models.JSONField(default=list)
    filesystems = models.JSONField(default=list)
    told_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return self.hostname or f"guest of {self.domain_id}"


class GuestAddress(models.Model):
    """One address, and who says so: the DHCP server of its network, its agent, the host's ARP table."""

    domain = models.ForeignKey(Domain, on_delete=models.CASCADE, related_name="addresses")
    mac = models.CharField(max_length=17)
    address = models.CharField(max_length=45, db_index=True)
    prefix = models.PositiveSmallIntegerField()
    lease = models.BooleanField(default=False)
    agent = models.BooleanField(default=False)
    arp = models.BooleanField(default=False)

    class Meta:
        ordering: ClassVar = ["pk"]

    def __str__(self) -> str:
        return self.address


class GuestSecret(models.Model):
    """What an operation hands to a guest and nobody may read: it goes when the operation ends."""

    uuid = models.UUIDField(unique=True, default=uuid.uuid4)
    text = SealedTextField()
    made_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return str(self.uuid)
