"""A machine that two hosts report."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from domains.models.domain import Domain, DomainState
from hosts.models import Host


class Duplicate(models.Model):
    """A machine that `host` reports too, although `domain.host` has it and did not let it go.

    While a machine migrates that is as it should be. `told_at` is set where it stayed so: then people know.
    """

    domain = models.ForeignKey(Domain, on_delete=models.CASCADE, related_name="duplicates")
    host = models.ForeignKey(Host, on_delete=models.CASCADE, related_name="duplicates")
    state = models.CharField(max_length=16, choices=DomainState.choices)
    since = models.DateTimeField(auto_now_add=True)
    told_at = models.DateTimeField(null=True)

    class Meta:
        ordering: ClassVar = ["pk"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["domain", "host"], name="one_duplicate_per_domain_and_host")
        ]

    def __str__(self) -> str:
        return f"{self.domain_id} also on {self.host_id}"
