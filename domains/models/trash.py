"""Machines in the trash: not on their host any more, and all that is needed to bring them back."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from accounts.models import User
from accounts.scoping import Permitted
from core.sealed import SealedTextField
from domains.models.domain import Domain
from hosts.models import Host


class TrashedQuerySet(Permitted):
    """They belong to whom their machines belong."""

    team_path = "domain__team"
    owner_path = "domain__owner"

    def listed(self) -> TrashedQuerySet:
        """Those that are in the trash, and not only on their way there; without their definitions, which are sealed."""
        return self.filter(since__isnull=False).defer("definition")


class Trashed(models.Model):
    """One machine in the trash. Its row keeps name, tags, owner and team; here is what its host has forgotten.

    `definition` is the inactive document with its secrets. `until` is when it is deleted for good; both times are
    None while it is on its way.
    """

    domain = models.OneToOneField(Domain, on_delete=models.CASCADE, related_name="trashed")
    host = models.ForeignKey(Host, on_delete=models.CASCADE, related_name="+")
    definition = SealedTextField(blank=True)
    autostart = models.BooleanField(default=False)
    by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    since = models.DateTimeField(null=True)
    until = models.DateTimeField(null=True, db_index=True)

    objects = TrashedQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-since", "-pk"]

    def __str__(self) -> str:
        return self.domain.name


class TrashedDisk(models.Model):
    """A disk that waits with its machine; nothing else may use it. A `doomed` one is deleted with it."""

    trashed = models.ForeignKey(Trashed, on_delete=models.CASCADE, related_name="disks")
    target = models.CharField(max_length=32)
    path = models.CharField(max_length=1024, db_index=True)
    doomed = models.BooleanField(default=False)

    class Meta:
        ordering: ClassVar = ["target"]

    def __str__(self) -> str:
        return f"{self.target} of {self.trashed_id}"
