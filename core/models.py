"""Columns that every observed thing has."""

from __future__ import annotations

from django.db import models


class Observed(models.Model):
    """A thing on a host as it was last seen. Only `inventory.py` modules write these two."""

    seen_at = models.DateTimeField(null=True, db_index=False)
    gone_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        abstract = True
