"""The virtual networks and bridges of a host, as last seen."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.urls import reverse

from accounts.scoping import Permitted
from core.models import Observed
from hosts.models import Host

MODES = {"": "isolated", "nat": "NAT", "route": "routed", "bridge": "bridged", "open": "open"}


class NetworkQuerySet(Permitted):
    """Global roles only."""

    def present(self) -> NetworkQuerySet:
        """Those that did not vanish, on hosts that were not removed."""
        return self.filter(gone_at=None, host__gone_at=None)


class Network(Observed):
    """One libvirt network. All columns are observed; `uuid` is libvirt's and unique on its host."""

    host = models.ForeignKey(Host, on_delete=models.CASCADE, related_name="networks")
    uuid = models.UUIDField()
    name = models.CharField(max_length=255)
    active = models.BooleanField(default=False)
    autostart = models.BooleanField(default=False)
    bridge = models.CharField(max_length=64, blank=True)
    forward_mode = models.CharField(max_length=32, blank=True)
    addresses = models.JSONField(default=list)
    dhcp_ranges = models.JSONField(default=list)

    objects = NetworkQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["host__name", "name"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["host", "uuid"], name="one_network_per_host_and_uuid")
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def mode(self) -> str:
        """How it reaches the outside, in people's words; libvirt's own word where we have none."""
        return MODES.get(self.forward_mode, self.forward_mode)

    def get_absolute_url(self) -> str:
        """Its page; the host tells apart networks of one UUID on hosts that were made from one image."""
        return f"{reverse('networks:detail', args=[self.uuid])}?host={self.host.uuid}"


class Bridge(Observed):
    """One bridge of a host's own system; libvirt's networks have bridges too. All columns are observed."""

    host = models.ForeignKey(Host, on_delete=models.CASCADE, related_name="bridges")
    name = models.CharField(max_length=64)
    active = models.BooleanField(default=False)
    # The interfaces of the host that are plugged into it; those of machines are not among them.
    ports = models.JSONField(default=list)

    objects = NetworkQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["host__name", "name"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["host", "name"], name="one_bridge_per_host_and_name")
        ]

    def __str__(self) -> str:
        return self.name
