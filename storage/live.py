"""The live pieces of storage's pages."""

from __future__ import annotations

from uuid import UUID

from django.template.loader import render_to_string

from accounts.models import User
from accounts.permissions import Verb
from core.live import fragment
from operations.models import Operation
from storage import listing


@fragment("storage")
def pools(user: User, key: str) -> str | None:
    """A pool changed, came or went: the list fetches itself anew."""
    return "" if key == "all" and user.can(Verb.STORAGE_VIEW) else None


@fragment("pool")
def pool(user: User, key: str) -> str | None:
    """The pool's page fetches what it shows of it; which part of the volumes that is, the page knows."""
    try:
        return None if listing.find_pool(user, UUID(key)) is None else ""
    except ValueError:
        return None


@fragment("uploads")
def uploads(user: User, key: str) -> str | None:
    """A person's own uploads."""
    if key != "all" or not user.can(Verb.STORAGE_MANAGE):
        return None
    return render_to_string("storage/_uploads.html", {"uploads": listing.shown_uploads(user), "user": user})


@fragment("upload-storing", event="operation")
def storing(user: User, key: str) -> str | None:
    """How far the copy into the pool is."""
    try:
        operation = Operation.objects.permitted(user, Verb.OPERATION_VIEW).filter(pk=UUID(key)).first()
    except ValueError:
        return None
    return None if operation is None else render_to_string("storage/_storing.html", {"operation": operation})
