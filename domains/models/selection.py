"""Machines that somebody does one thing to together."""

from __future__ import annotations

import uuid

from django.db import models

from accounts.models import User
from accounts.scoping import Permitted


class SelectionQuerySet(Permitted):
    """A selection belongs to the person who made it."""

    owner_path = "owner"


class Selection(models.Model):
    """What an operation on many machines is about; which ones they are stands in that operation's params."""

    uuid = models.UUIDField(unique=True, default=uuid.uuid4)
    owner = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    size = models.PositiveIntegerField()
    created_at = models.DateTimeField(auto_now_add=True)

    objects = SelectionQuerySet.as_manager()

    def __str__(self) -> str:
        return "1 virtual machine" if self.size == 1 else f"{self.size} virtual machines"
