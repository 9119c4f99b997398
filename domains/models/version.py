"""Every definition that a machine has had, and the drafts of those to come."""

from __future__ import annotations

import base64
import uuid
import zlib
from typing import ClassVar

from django.db import models

from accounts.models import User
from core.sealed import SealedTextField
from domains.models.domain import Domain
from operations.models import Operation


class Origin(models.TextChoices):
    """Who brought a definition about. FIRST is the one that was there when the panel first looked."""

    FIRST = "first", "First seen"
    PANEL = "panel", "By the panel"
    BESIDE = "beside", "Beside the panel"


class Document(models.Model):
    """A definition with its secrets, compressed and sealed: never show `xml` as it is."""

    sealed = SealedTextField()

    class Meta:
        abstract = True

    @property
    def xml(self) -> str:
        """The document as libvirt gave it, or a person typed it."""
        return zlib.decompress(base64.b85decode(self.sealed)).decode(errors="surrogatepass")

    @xml.setter
    def xml(self, text: str) -> None:
        self.sealed = base64.b85encode(zlib.compress(text.encode(errors="surrogatepass"))).decode()


class DomainVersion(Document):
    """One definition of a machine; the highest `number` is the one in force, as last seen at `at`.

    `accepted_at` is set where somebody looked at a change from beside the panel and let it stand.
    """

    domain = models.ForeignKey(Domain, on_delete=models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField()
    sha = models.CharField(max_length=64)
    at = models.DateTimeField(auto_now_add=True)
    origin = models.CharField(max_length=8, choices=Origin.choices)
    author = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    operation = models.ForeignKey(Operation, null=True, on_delete=models.SET_NULL, related_name="versions")
    note = models.CharField(max_length=255, blank=True)
    # What differs from the version before, in words that hold no secret; told once, because telling it takes a while.
    changes = models.JSONField(default=list)
    accepted_at = models.DateTimeField(null=True)
    accepted_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")

    class Meta:
        ordering: ClassVar = ["-number"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["domain", "number"], name="one_version_per_number")
        ]

    def __str__(self) -> str:
        return f"version {self.number}"


class DomainDraft(Document):
    """A definition that a person wants instead of `base`; secrets that they did not change are placeholders in it.

    `ticked` are the keys of what the policy found in it and the person allowed.
    """

    uuid = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    domain = models.ForeignKey(Domain, on_delete=models.CASCADE, related_name="drafts")
    base = models.ForeignKey(DomainVersion, on_delete=models.CASCADE, related_name="+")
    author = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    at = models.DateTimeField(auto_now_add=True)
    ticked = models.JSONField(default=list)
    operation = models.OneToOneField(Operation, null=True, on_delete=models.SET_NULL, related_name="draft")

    class Meta:
        ordering: ClassVar = ["-at"]

    def __str__(self) -> str:
        return f"draft of {self.domain_id}"
