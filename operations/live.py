"""The pieces of pages that follow an operation, each rendered for the person who looks."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db.models import Case, Q, When
from django.db.models.functions import Now
from django.template.loader import render_to_string

from accounts.models import User
from core.live import fragment
from operations import parts, targets
from operations.listing import Wanted
from operations.models import ACTIVE, Operation

# How long the drawer still shows what has ended.
AFTERGLOW = timedelta(minutes=2)
MOST_IN_DRAWER = 6
MOST_LOG_LINES = 200


def story(operation: Operation) -> dict[str, Any]:
    """The operation with its steps and the end of its log, for the templates that tell all of it."""
    log = list(operation.log.order_by("-pk")[:MOST_LOG_LINES])
    return {
        "operation": operation,
        "steps": operation.steps.all(),
        "log": log[::-1],
        "parts": parts.story(operation) if targets.may_have_parts(operation.target_kind) else None,
    }


def drawer_of(user: User) -> str:
    """The drawer's content, with no more than a few operations."""
    recent = Q(state__in=ACTIVE) | Q(finished_at__gt=Now() - AFTERGLOW)
    running_first = Case(When(state__in=ACTIVE, then=0), default=1)
    mine = (
        Wanted()
        .of(user)
        .filter(recent, actor=user, parent=None)
        .order_by(running_first, "-created_at")[:MOST_IN_DRAWER]
    )
    return render_to_string("operations/_drawer_list.html", {"user": user, "operations": list(mine)})


@fragment("operation")
def whole(user: User, key: str) -> str | None:
    """The live part of the operation's page."""
    operation = _find(user, key)
    return None if operation is None else render_to_string("operations/_operation.html", story(operation))


@fragment("operation-steps", event="operation")
def steps(user: User, key: str) -> str | None:
    """Its steps alone, for the page of the thing it is about."""
    operation = _find(user, key)
    return None if operation is None else render_to_string("operations/_steps.html", story(operation))


@fragment("operation-row", event="operation")
def row(user: User, key: str) -> str | None:
    """Its line in a list."""
    operation = _find(user, key)
    if operation is None:
        return None
    return render_to_string("operations/_row.html", {"operation": operation})


@fragment("operation-started", event="operation")
def started(user: User, key: str) -> str | None:
    """The answer to the button that began it."""
    operation = _find(user, key)
    if operation is None:
        return None
    return render_to_string("operations/_started.html", {"operation": operation})


@fragment("operations")
def lists(user: User, key: str) -> str | None:
    """One began or ended: lists fetch themselves anew."""
    return "" if key == "all" else None


@fragment("drawer")
def drawer(user: User, key: str) -> str | None:
    """A person's own drawer, nobody else's."""
    return drawer_of(user) if key == str(user.pk) else None


def _find(user: User, key: str) -> Operation | None:
    try:
        pk = UUID(key)
    except ValueError:
        return None
    found: Operation | None = Wanted().of(user).filter(pk=pk).first()
    return found
