"""A virtual machine: what people say of it, and what was last seen of it."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from django.db import models
from django.db.models import Q

from accounts.models import Team, User
from accounts.scoping import Permitted
from core.models import Observed
from hosts.models import Host

if TYPE_CHECKING:
    from domains.gauges import Gauge


class DomainState(models.TextChoices):
    """libvirt's states, and CREATING for a machine that its operation is still making."""

    CREATING = "creating", "Being created"
    RUNNING = "running", "Running"
    PAUSED = "paused", "Paused"
    SHUTTING_DOWN = "shutting-down", "Shutting down"
    OFF = "off", "Off"
    CRASHED = "crashed", "Crashed"
    SUSPENDED = "suspended", "Asleep"
    UNKNOWN = "unknown", "Unknown"


ON = (DomainState.RUNNING, DomainState.PAUSED, DomainState.SHUTTING_DOWN)
# Its host keeps it in memory: on, asleep, or left for people to look at after a crash.
HELD = Q(state__in=ON) | Q(live_id__isnull=False)


class DomainQuerySet(Permitted):
    """Machines belong to a team and to a person."""

    team_path = "team"
    owner_path = "owner"

    def present(self) -> DomainQuerySet:
        """Those that did not vanish, on hosts that were not removed."""
        return self.filter(gone_at=None, host__gone_at=None)


class Domain(Observed):
    """One virtual machine. `uuid` is libvirt's; the panel chooses it for the machines it makes."""

    uuid = models.UUIDField(unique=True, default=uuid.uuid4)
    host = models.ForeignKey(Host, on_delete=models.CASCADE, related_name="domains")

    # Owned.
    owner = models.ForeignKey(User, null=True, blank=True, on_delete=models.SET_NULL, related_name="domains")
    team = models.ForeignKey(Team, null=True, blank=True, on_delete=models.SET_NULL, related_name="domains")
    protected = models.BooleanField(default=False)
    # Machines are made from it, and it never starts. `cleared` is what its person said is not in the guest any more.
    template = models.BooleanField(default=False)
    cleared = models.JSONField(default=list, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    # Observed (and, while CREATING, what was asked for).
    name = models.CharField(max_length=255)
    title = models.CharField(max_length=255, blank=True)
    description = models.TextField(blank=True)
    tags = models.JSONField(default=list)
    state = models.CharField(max_length=16, choices=DomainState.choices, default=DomainState.UNKNOWN)
    state_reason = models.CharField(max_length=64, blank=True)
    live_id = models.IntegerField(null=True)
    persistent = models.BooleanField(default=True)
    autostart = models.BooleanField(default=False)
    managed_save = models.BooleanField(default=False)
    vcpus = models.PositiveIntegerField(default=0)
    vcpus_max = models.PositiveIntegerField(default=0)
    memory_mib = models.PositiveIntegerField(default=0)
    memory_max_mib = models.PositiveIntegerField(default=0)
    machine = models.CharField(max_length=64, blank=True)
    firmware = models.CharField(max_length=16, blank=True)
    accelerated = models.BooleanField(default=False)
    has_screen = models.BooleanField(default=False)
    # The kinds of devices that its run has a free place for: see `DomainFacts.pluggable`.
    pluggable = models.JSONField(default=list)
    xml_sha = models.CharField(max_length=64, blank=True)
    # OptionFacts of the definition ("defined") and of this run ("live", null while off); {} until seen.
    options = models.JSONField(default=dict)
    # The newest one that is kept as a version; it differs from the one seen until `versions.keep` was there.
    kept_sha = models.CharField(max_length=64, blank=True)

    objects = DomainQuerySet.as_manager()

    # What it uses, where `domains.gauges.attach` was asked.
    gauge: Gauge | None = None
    # Its addresses, where `domains.guests.attach` was asked.
    ips: Sequence[str] = ()

    class Meta:
        ordering: ClassVar = ["name", "pk"]
        constraints: ClassVar = [
            # Names are labels and virsh may swap them at any time; but two creates must not race for one.
            models.UniqueConstraint(
                fields=["host", "name"],
                condition=Q(state="creating", gone_at=None),
                name="one_creation_per_host_and_name",
            )
        ]
        indexes: ClassVar = [
            models.Index(fields=["name", "id"], condition=Q(gone_at=None), name="domain_by_name"),
            models.Index(fields=["host", "name"], condition=Q(gone_at=None), name="domain_by_host"),
            models.Index(fields=["team", "name", "id"], condition=Q(gone_at=None), name="domain_by_team"),
            models.Index(fields=["state", "name", "id"], condition=Q(gone_at=None), name="domain_by_state"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def on(self) -> bool:
        """Whether it runs, if only paused; it has a screen then."""
        return self.state in ON

    @property
    def held(self) -> bool:
        """Whether its host keeps it in memory: what HELD asks of rows."""
        return self.on or self.live_id is not None

    @property
    def cpu_now(self) -> float | None:
        """Percent of its vCPUs in use; None where that is old: a small bar has no room to say since when."""
        return None if self.gauge is None or self.gauge.old else self.gauge.cpu_percent

    @property
    def memory_now(self) -> float | None:
        """Percent of its memory in use; None where that is old."""
        return None if self.gauge is None or self.gauge.old else self.gauge.memory_percent
