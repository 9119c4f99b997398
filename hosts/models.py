"""A host: what people say of it, and what was last seen of it."""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.db import models

from accounts.scoping import Permitted
from core.models import Observed


class HostState(models.TextChoices):
    """Whether the watcher has a live connection. NEW: it never had one."""

    NEW = "new", "Not seen yet"
    UP = "up", "Up"
    DOWN = "down", "Unreachable"


class Transport(models.TextChoices):
    """How the host's libvirt daemon is reached; the values are those of `hypervisor.uri.Transport`."""

    LOCAL = "local", "This machine"


class HostQuerySet(Permitted):
    """Global roles only."""

    def present(self) -> HostQuerySet:
        """Hosts that were not removed."""
        return self.filter(gone_at=None)


class Host(Observed):
    """One machine that runs libvirt. `uuid` is ours; `host_uuid` is what libvirt says of itself."""

    uuid = models.UUIDField(unique=True, default=uuid.uuid4, editable=False)

    # Owned: people write these.
    name = models.CharField(max_length=80, unique=True)
    transport = models.CharField(max_length=8, choices=Transport.choices, default=Transport.LOCAL)
    socket = models.CharField(max_length=200, blank=True)
    maintenance = models.BooleanField(default=False)
    created_at = models.DateTimeField(auto_now_add=True)

    # Observed: only hosts.inventory writes these.
    host_uuid = models.UUIDField(null=True, unique=True)
    state = models.CharField(max_length=8, choices=HostState.choices, default=HostState.NEW)
    error = models.TextField(blank=True)
    hostname = models.CharField(max_length=255, blank=True)
    libvirt_version = models.CharField(max_length=32, blank=True)
    qemu_version = models.CharField(max_length=32, blank=True)
    cpu_arch = models.CharField(max_length=32, blank=True)
    cpu_model = models.CharField(max_length=128, blank=True)
    cpu_virtualization = models.CharField(max_length=8, blank=True)
    cpus = models.PositiveIntegerField(default=0)
    cpu_sockets = models.PositiveIntegerField(default=0)
    cpu_cores_per_socket = models.PositiveIntegerField(default=0)
    cpu_threads_per_core = models.PositiveIntegerField(default=0)
    memory_mib = models.PositiveIntegerField(default=0)
    memory_free_mib = models.PositiveIntegerField(default=0)
    kvm = models.BooleanField(default=False)
    kvm_reason = models.CharField(max_length=32, blank=True)
    virtualized_by = models.CharField(max_length=64, blank=True)
    uefi = models.BooleanField(default=False)
    latency_ms = models.FloatField(null=True)

    objects = HostQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["name"]

    def __str__(self) -> str:
        return self.name

    @property
    def up(self) -> bool:
        """Whether the watcher reached it at last sight."""
        return self.state == HostState.UP

    @property
    def memory_used_mib(self) -> int:
        """What isn't free."""
        return max(0, self.memory_mib - self.memory_free_mib)
