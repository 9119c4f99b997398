"""The audit log: rows that are only ever added, each bound to the one before by a hash."""

from __future__ import annotations

import hashlib
import json
from typing import Any, ClassVar

from django.db import connection, models, transaction
from django.utils import timezone

from accounts.models import User
from accounts.scoping import Permitted

GENESIS = "0" * 64
# Any number that no other use of PostgreSQL's advisory locks here has.
CHAIN_LOCK = 7_204_001


class EntryQuerySet(Permitted):
    """Global roles only: the log speaks of everybody."""


class EntryManager(models.Manager["Entry"]):
    """Appends; nothing in the project updates or deletes an entry."""

    def get_queryset(self) -> EntryQuerySet:
        """So that reads start with `permitted()`."""
        return EntryQuerySet(self.model, using=self._db)

    @transaction.atomic
    def append(
        self,
        *,
        actor: User | None,
        verb: str,
        target: models.Model | None,
        label: str,
        details: dict[str, Any],
    ) -> Entry:
        """Add a row behind the last one. The lock orders writers until the transaction's end."""
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_xact_lock(%s)", [CHAIN_LOCK])
        last = self.order_by("-pk").values_list("digest", flat=True).first()
        entry = Entry(
            at=timezone.now(),
            actor=actor,
            actor_name=actor.get_username() if actor else "panel",
            verb=verb,
            target_kind=target._meta.label_lower if target is not None else "",
            target_key=str(getattr(target, "uuid", target.pk)) if target is not None else "",
            target_name=label or (str(target) if target is not None else ""),
            details=details,
            previous=last or GENESIS,
        )
        entry.digest = entry.compute_digest()
        entry.save(force_insert=True)
        return entry

    def first_broken(self) -> Entry | None:
        """The first row whose hash does not follow from the row before, or None where the chain is whole."""
        previous = GENESIS
        for entry in self.order_by("pk").iterator():
            if entry.previous != previous or entry.digest != entry.compute_digest():
                return entry
            previous = entry.digest
        return None


class Entry(models.Model):
    """Who (`actor_name`, kept as it was), when, which verb, on what (`target_*`, kept as they were)."""

    at = models.DateTimeField(db_index=True)
    actor = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    actor_name = models.CharField(max_length=150)
    verb = models.CharField(max_length=64, db_index=True)
    target_kind = models.CharField(max_length=64, blank=True)
    target_key = models.CharField(max_length=64, blank=True, db_index=True)
    target_name = models.CharField(max_length=255, blank=True)
    details = models.JSONField(default=dict)
    previous = models.CharField(max_length=64)
    digest = models.CharField(max_length=64)

    objects = EntryManager()

    class Meta:
        ordering: ClassVar = ["-pk"]

    def __str__(self) -> str:
        return f"{self.actor_name} {self.verb} {self.target_name}"

    def compute_digest(self) -> str:
        """SHA-256 over the row's content and the digest before it."""
        content = [
            self.at.isoformat(),
            self.actor_name,
            self.verb,
            self.target_kind,
            self.target_key,
            self.target_name,
            self.details,
            self.previous,
        ]
        return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()
