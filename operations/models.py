"""Operation, its steps and its log."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any, ClassVar

from django.db import models
from django.db.models import Q

from accounts.models import Team, User
from accounts.permissions import Verb
from accounts.scoping import Permitted
from operations import targets
from operations.rights import beyond_teams


def _seconds(start: datetime | None, end: datetime | None) -> float | None:
    return (end - start).total_seconds() if start and end else None


class OperationState(models.TextChoices):
    """Where an operation stands. QUEUED and RUNNING are active; the rest is for ever."""

    QUEUED = "queued", "Waiting"
    RUNNING = "running", "Running"
    SUCCEEDED = "succeeded", "Done"
    FAILED = "failed", "Failed"
    CANCELLED = "cancelled", "Cancelled"


ACTIVE = (OperationState.QUEUED, OperationState.RUNNING)


class StepState(models.TextChoices):
    """RUNNING is the journalled intent: the effect may or may not have happened; only a probe can tell."""

    PENDING = "pending", "To do"
    RUNNING = "running", "Running"
    DONE = "done", "Done"
    UNDONE = "undone", "Taken back"
    FAILED = "failed", "Failed"


class OperationQuerySet(Permitted):
    """Operations belong to the team of their target and to the person who asked.

    A team sees, but does not cancel, what it could not have asked for: a move, or what is a part of something larger.
    """

    team_path = "team"
    owner_path = "actor"

    def _belongs(self, user: Any, verb: Verb) -> Q:
        mine = super()._belongs(user, verb)
        if verb is Verb.OPERATION_CANCEL:
            mine &= Q(actor=user.pk) | Q(Q(parent=None), ~Q(kind__in=beyond_teams()))
        return mine

    def active(self) -> OperationQuerySet:
        """Those that wait or run."""
        return self.filter(state__in=ACTIVE)

    def about(self, kind: str, key: uuid.UUID) -> OperationQuerySet:
        """Those on one target."""
        return self.filter(target_kind=kind, target_id=key)


class Operation(models.Model):
    """One piece of long work on one target. `params` hold every id chosen in advance, and no secret."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    kind = models.CharField(max_length=64)
    title = models.CharField(max_length=255)
    target_kind = models.CharField(max_length=32)
    target_id = models.UUIDField()
    target_name = models.CharField(max_length=255)
    actor = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="operations")
    team = models.ForeignKey(Team, null=True, on_delete=models.SET_NULL, related_name="+")
    params = models.JSONField(default=dict)
    # The operation that asked for this one as a part of its own work.
    parent = models.ForeignKey("self", null=True, on_delete=models.SET_NULL, related_name="children")
    # It may take hours: only so many of these run at once, so that short work always finds a worker.
    long = models.BooleanField(default=False)
    idempotency_key = models.CharField(max_length=200, null=True, unique=True)  # noqa: DJ001 (NULL: no key, never equal)

    state = models.CharField(max_length=12, choices=OperationState.choices, default=OperationState.QUEUED)
    progress = models.PositiveSmallIntegerField(default=0)
    message = models.CharField(max_length=255, blank=True)
    error = models.TextField(blank=True)
    fix = models.TextField(blank=True)
    left_behind = models.TextField(blank=True)
    undoing = models.BooleanField(default=False)
    cancel_requested = models.BooleanField(default=False)
    # Past the point of no return: it can't be cancelled, and a failure is not taken back.
    committed = models.BooleanField(default=False)
    # It had its last attempt, forwards or at being taken back: it ended without its end, and somebody has to look.
    parked = models.BooleanField(default=False)

    created_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    # The lease: who holds `epoch` may write until `lease_until`, on the database's clock.
    epoch = models.PositiveIntegerField(default=0)
    lease_until = models.DateTimeField(null=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    not_before = models.DateTimeField(null=True)
    enqueued_at = models.DateTimeField(null=True)

    objects = OperationQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-created_at", "-id"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["target_kind", "target_id"],
                condition=Q(state__in=ACTIVE),
                name="one_active_operation_per_target",
            )
        ]
        indexes: ClassVar = [
            models.Index(fields=["-created_at", "-id"], name="operation_newest"),
            models.Index(fields=["target_kind", "target_id", "-created_at"], name="operation_of_target"),
            models.Index(fields=["kind", "-created_at"], name="operation_of_kind"),
            models.Index(fields=["actor", "-created_at"], name="operation_of_actor"),
            models.Index(fields=["team", "-created_at"], name="operation_of_team"),
            models.Index(fields=["state"], condition=Q(state__in=ACTIVE), name="operation_active"),
        ]

    def __str__(self) -> str:
        return self.title

    @property
    def is_parked(self) -> bool:
        """Whether nothing more is tried. What is still being taken back after its last attempt is not there yet."""
        return self.parked and not self.active

    @property
    def active(self) -> bool:
        """Whether it waits or runs."""
        return self.state in ACTIVE

    @property
    def target_address(self) -> str:
        """The page of what it is about, "" where that kind has none."""
        return targets.address(self.target_kind, self.target_id)

    @property
    def took_s(self) -> float | None:
        """Seconds from its first start to its end; None before that."""
        return _seconds(self.started_at, self.finished_at)

    @property
    def cancellable(self) -> bool:
        """Whether asking it to stop makes sense now."""
        return self.active and not (self.cancel_requested or self.committed or self.undoing)


class OperationStep(models.Model):
    """One step as the journal knows it."""

    operation = models.ForeignKey(Operation, on_delete=models.CASCADE, related_name="steps")
    position = models.PositiveSmallIntegerField()
    title = models.CharField(max_length=160)
    state = models.CharField(max_length=8, choices=StepState.choices, default=StepState.PENDING)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        ordering: ClassVar = ["position"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["operation", "position"], name="one_step_per_position")
        ]

    def __str__(self) -> str:
        return self.title

    @property
    def took_s(self) -> float | None:
        """Seconds from its last start to its end; None before that."""
        return _seconds(self.started_at, self.finished_at)


class OperationLog(models.Model):
    """One line said along the way."""

    operation = models.ForeignKey(Operation, on_delete=models.CASCADE, related_name="log")
    at = models.DateTimeField(auto_now_add=True)
    text = models.TextField()

    class Meta:
        ordering: ClassVar = ["pk"]

    def __str__(self) -> str:
        return self.text


class Hold(models.Model):
    """Something that an operation needs as it is, besides its target: nothing begins on it while that one is active.

    What it makes, changes or deletes it holds `alone`: nothing else holds it meanwhile.
    """

    operation = models.ForeignKey(Operation, on_delete=models.CASCADE, related_name="holds")
    target_kind = models.CharField(max_length=32)
    target_id = models.UUIDField()
    alone = models.BooleanField(default=False)

    class Meta:
        indexes: ClassVar = [models.Index(fields=["target_kind", "target_id"], name="hold_on_target")]

    def __str__(self) -> str:
        return f"{self.operation_id} holds {self.target_kind} {self.target_id}"
