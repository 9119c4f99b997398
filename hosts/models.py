"""A host: what people say of it, and what was last seen of it."""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.db import models

from accounts.scoping import Permitted
from core.models import Observed
from core.sealed import SealedTextField


class HostState(models.TextChoices):
    """Whether the watcher has a live connection. NEW: it never had one. BLOCKED: only a person can mend it."""

    NEW = "new", "Not seen yet"
    UP = "up", "Up"
    DOWN = "down", "Unreachable"
    BLOCKED = "blocked", "Blocked"


LOST_STATES = (HostState.DOWN, HostState.BLOCKED)


class Transport(models.TextChoices):
    """How the host's libvirt daemon is reached; the values are those of `hypervisor.uri.Transport`."""

    LOCAL = "local", "This machine"
    SSH = "ssh", "SSH"
    TLS = "tls", "TLS"
    TCP = "tcp", "TCP without encryption"


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
    address = models.CharField(max_length=253, blank=True)
    port = models.PositiveIntegerField(null=True, blank=True)
    username = models.CharField(max_length=32, blank=True)
    socket = models.CharField(max_length=200, blank=True)
    # TCP has no sign-in and no encryption: somebody said "yes, all the same", then.
    insecure_since = models.DateTimeField(null=True, blank=True)
    # Other hosts send migrating machines here; blank: to `address`.
    migration_address = models.CharField(max_length=253, blank=True)
    description = models.TextField(blank=True)
    labels = models.JSONField(default=list, blank=True)
    cpu_overcommit = models.FloatField(default=4.0)
    memory_overcommit = models.FloatField(default=1.0)
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
    secure_boot = models.BooleanField(default=False)
    tpm = models.BooleanField(default=False)
    # What its machines' CPUs may be: modes such as "host-model", and names of models.
    cpu_modes = models.JSONField(default=list)
    cpu_models = models.JSONField(default=list)
    latency_ms = models.FloatField(null=True)
    down_since = models.DateTimeField(null=True)
    # A list of {"id", "cpus", "memory_mib", "memory_free_mib"}, and of {"size_kib", "total", "free"}.
    numa_cells = models.JSONField(default=list)
    hugepages = models.JSONField(default=list)
    # Sums over its machines, kept by domains.inventory so that no page has to count.
    domains_total = models.PositiveIntegerField(default=0)
    domains_running = models.PositiveIntegerField(default=0)
    vcpus_running = models.PositiveIntegerField(default=0)
    memory_running_mib = models.PositiveIntegerField(default=0)
    # Share of all CPUs in use, from the last two samples; None while unknown.
    cpu_percent = models.FloatField(null=True)

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
    def remote(self) -> bool:
        """Whether it is another machine than the panel's."""
        return self.transport != Transport.LOCAL

    @property
    def other_hostname(self) -> str:
        """What it calls itself, where `name` does not say that already."""
        return "" if self.name.partition(".")[0] == self.hostname.partition(".")[0] else self.hostname

    @property
    def authority(self) -> str:
        """USER@ADDRESS:PORT, as far as there are such; blank for this machine."""
        name = f"[{self.address}]" if ":" in self.address else self.address
        user = f"{self.username}@" if self.username else ""
        return f"{user}{name}" + (f":{self.port}" if self.port else "")

    @property
    def memory_used_mib(self) -> int:
        """What isn't free."""
        return max(0, self.memory_mib - self.memory_free_mib)


class CredentialsQuerySet(models.QuerySet["Credentials"]):
    """Reading a secret opens it, and fails where the panel's sealing keys are not those it was sealed with."""

    def unopened(self) -> CredentialsQuerySet:
        """Without the secrets: for all but connecting, so that a person can still look and replace them."""
        return self.defer("ssh_private_key", "client_key")


class Credentials(models.Model):
    """What the panel proves itself with, and what it knows the host by. Secrets are sealed and never shown again."""

    host = models.OneToOneField(Host, on_delete=models.CASCADE, related_name="credentials")
    # SSH: the panel's own key pair for this host (OpenSSH format), and the host's key as "TYPE BASE64".
    ssh_private_key = SealedTextField(blank=True)
    ssh_public_key = models.TextField(blank=True)
    host_key = models.TextField(blank=True)
    # The key that the host showed last and that nobody has confirmed; blank where it is the confirmed one.
    offered_host_key = models.TextField(blank=True)
    # TLS, as PEM.
    ca_certificate = models.TextField(blank=True)
    client_certificate = models.TextField(blank=True)
    client_key = SealedTextField(blank=True)
    changed_at = models.DateTimeField(auto_now=True)

    objects = CredentialsQuerySet.as_manager()

    def __str__(self) -> str:
        return f"credentials of {self.host_id}"


class CheckState(models.TextChoices):
    """How one check of a host ended."""

    WAITING = "waiting", "Waiting"
    RUNNING = "running", "Checking"
    PASSED = "passed", "Good"
    WARNING = "warning", "Look at this"
    FAILED = "failed", "Failed"
    SKIPPED = "skipped", "Not checked"


GOOD_CHECKS = (CheckState.PASSED, CheckState.WARNING)


class HostCheck(models.Model):
    """One check of a host as it last ended; `key` names the check, `fix` is what to do, line by line."""

    host = models.ForeignKey(Host, on_delete=models.CASCADE, related_name="checks")
    key = models.CharField(max_length=32)
    position = models.PositiveSmallIntegerField()
    state = models.CharField(max_length=8, choices=CheckState.choices, default=CheckState.WAITING)
    detail = models.TextField(blank=True)
    fix = models.TextField(blank=True)
    checked_at = models.DateTimeField(null=True)

    class Meta:
        ordering: ClassVar = ["position"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["host", "key"], name="one_check_per_host_and_key")
        ]

    def __str__(self) -> str:
        return f"{self.key} of {self.host_id}"


class HostDevice(Observed):
    """A PCI or USB device of a host, as last seen; what the columns mean says `hypervisor.facts.HostDeviceFacts`."""

    host = models.ForeignKey(Host, on_delete=models.CASCADE, related_name="devices")
    name = models.CharField(max_length=128)
    kind = models.CharField(max_length=8)
    address = models.CharField(max_length=64)
    vendor_id = models.CharField(max_length=8, blank=True)
    product_id = models.CharField(max_length=8, blank=True)
    vendor = models.CharField(max_length=128, blank=True)
    product = models.CharField(max_length=128, blank=True)
    pci_class = models.CharField(max_length=8, blank=True)
    driver = models.CharField(max_length=64, blank=True)
    iommu_group = models.PositiveIntegerField(null=True)
    iommu_members = models.JSONField(default=list)
    holds = models.JSONField(default=list)

    objects = HostQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["kind", "address"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["host", "name"], name="one_device_per_host_and_name")
        ]

    def __str__(self) -> str:
        return self.address


class HostEvent(models.Model):
    """Something that happened to a host: it came, went, was changed. Old ones are thrown away."""

    host = models.ForeignKey(Host, on_delete=models.CASCADE, related_name="events")
    at = models.DateTimeField(auto_now_add=True)
    kind = models.CharField(max_length=32)
    text = models.TextField()

    class Meta:
        ordering: ClassVar = ["-at", "-pk"]
        indexes: ClassVar = [models.Index(fields=["host", "-at"], name="host_event_newest")]

    def __str__(self) -> str:
        return self.text
