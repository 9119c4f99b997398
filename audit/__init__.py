"""Remembers who did what to what; append-only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from django.db.models import Model

    from accounts.models import User
    from audit.models import Entry


def record(
    actor: User | None, verb: str, *, target: Model | None = None, label: str = "", **details: Any
) -> Entry:
    """Append one row in the caller's transaction: no effect without its row, no row without its effect.

    `verb` is the action's name ("domain.start"). `details` must hold no secret; it is kept for ever as JSON.
    """
    from audit.models import Entry

    return Entry.objects.append(actor=actor, verb=verb, target=target, label=label, details=details)
