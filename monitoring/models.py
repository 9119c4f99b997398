"""What running machines used at last sight."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from domains.models import Domain
from hosts.models import Host


class Usage(models.Model):
    """One machine that was on when its host was last asked. `monitoring.rates.Rates` says what the numbers are.

    `host` is the one that was asked. A row that is not renewed within `STALE_S` tells of the past.
    """

    domain = models.OneToOneField(Domain, primary_key=True, on_delete=models.CASCADE, related_name="usage")
    host = models.ForeignKey(Host, on_delete=models.CASCADE, related_name="+")
    sampled_at = models.DateTimeField()
    cpu_percent = models.FloatField()
    host_cpu_percent = models.FloatField()
    memory_mib = models.PositiveIntegerField()
    memory_percent = models.FloatField()
    read_bytes = models.BigIntegerField()
    read_requests = models.BigIntegerField()
    write_bytes = models.BigIntegerField()
    write_requests = models.BigIntegerField()
    rx_bytes = models.BigIntegerField()
    tx_bytes = models.BigIntegerField()
    cpu_time_s = models.FloatField()

    class Meta:
        ordering: ClassVar = ["-cpu_percent", "pk"]

    def __str__(self) -> str:
        return f"usage of {self.domain_id}"
