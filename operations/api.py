"""Operations over REST: follow what a call started, and cancel it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from ninja import Router, Schema, Status
from pydantic import Field

from accounts.permissions import Verb
from core.http import signed_in
from operations import actions
from operations.listing import Wanted
from operations.models import Operation, OperationState, StepState
from operations.parts import refused

router = Router(tags=["operations"])


class OperationOut(Schema):
    """One operation. `progress` is in percent; `fix` says what to do about `error`; `parent_id` asked for it.

    One that is `parked` had its last attempt: the panel won't try again, somebody has to look.
    """

    id: UUID
    parent_id: UUID | None
    kind: str
    title: str
    target_kind: str
    target_id: UUID
    target_name: str
    person: str | None
    state: OperationState
    progress: int
    message: str
    error: str
    fix: str
    left_behind: str
    parked: bool
    cancellable: bool
    cancel_requested: bool
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None

    @staticmethod
    def resolve_parked(operation: Operation) -> bool:
        """Only at its end: until then it may be taken back."""
        return operation.is_parked

    @staticmethod
    def resolve_person(operation: Operation) -> str | None:
        """Who asked for it; null for the panel itself."""
        return operation.actor.username if operation.actor else None


class StepOut(Schema):
    """One step as the journal knows it."""

    title: str
    state: StepState
    started_at: datetime | None
    finished_at: datetime | None


class LogOut(Schema):
    """One line said along the way."""

    at: datetime
    text: str


class PartOut(Schema):
    """One of the operations that this one consists of."""

    operation: UUID = Field(alias="id")
    target: UUID = Field(alias="target_id")
    name: str = Field(alias="target_name")
    state: OperationState
    error: str


class RefusedOut(Schema):
    """A thing that no part could begin with, and why."""

    target: UUID
    name: str
    why: str


class OperationDetail(OperationOut):
    """One operation with its steps, its log, and what became of each part of it."""

    steps: list[StepOut]
    log: list[LogOut]
    parts: list[PartOut] = Field(alias="children")
    refused: list[RefusedOut]

    @staticmethod
    def resolve_refused(operation: Operation) -> list[dict[str, Any]]:
        """As the operation wrote them down."""
        return [{"target": key} | one for key, one in refused(operation).items()]


class OperationPage(Schema):
    """Part of a list; `count` is the length of all of it."""

    count: int
    items: list[OperationOut]


@router.get("", response=OperationPage, summary="List operations, newest first")
def list_operations(
    request: HttpRequest,
    *,
    person: str = "",
    kind: str = "",
    target_kind: str = "",
    target: str = "",
    outcome: str = "",
    offset: Annotated[int, Field(ge=0, lt=2**31)] = 0,
    limit: Annotated[int, Field(ge=1, le=200)] = 50,
) -> dict[str, Any]:
    """Those that the caller may see; a filter that can't be understood counts as not given."""
    asked = {"person": person, "kind": kind, "target_kind": target_kind, "target": target, "outcome": outcome}
    rows = Wanted.read(asked).of(signed_in(request))
    return {"count": rows.count(), "items": rows[offset : offset + limit]}


@router.get("/{uuid:pk}", response=OperationDetail, summary="One operation, its steps and its log")
def get_operation(request: HttpRequest, pk: UUID) -> Operation:
    """Poll this, or read it once after the state has become final."""
    rows = Wanted().of(signed_in(request)).prefetch_related("steps", "log", "children")
    operation: Operation = get_object_or_404(rows, pk=pk)
    return operation


@router.post("/{uuid:pk}/cancel", response={202: OperationOut}, summary="Ask an operation to stop")
def cancel_operation(request: HttpRequest, pk: UUID) -> Status[Operation]:
    """It stops at the border of its next step and takes back what it did; 409 where it can't any more."""
    user = signed_in(request)
    operation = get_object_or_404(Operation.objects.permitted(user, Verb.OPERATION_CANCEL), pk=pk)
    return Status(202, actions.cancel(operation=operation, actor=user))
