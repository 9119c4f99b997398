"""REST: the audit log."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

from django.http import HttpRequest
from ninja import Field, Query, Router, Schema

from accounts.permissions import Verb
from accounts.scoping import require
from audit import search
from core.http import signed_in

router = Router(tags=["audit"])


class EntryOut(Schema):
    """One row. `digest` is the SHA-256 over its content and `previous`, the digest of the row before."""

    id: int
    at: datetime
    actor_name: str
    verb: str
    target_kind: str
    target_key: str
    target_name: str
    details: dict[str, Any]
    previous: str
    digest: str


class EntryFilters(Schema):
    """All of them narrow; `before` is the id below which the page starts."""

    who: str = ""
    verb: str = Field("", description="The beginning of a verb: “domain.” finds all about machines.")
    target: str = Field("", description="Part of a name, or a whole key.")
    before: int = Field(0, ge=0, lt=2**63)
    limit: int = Field(search.PAGE_SIZE, ge=1, le=1000)


@router.get("", response=list[EntryOut])
def list_entries(request: HttpRequest, filters: Query[EntryFilters]) -> list[Any]:
    """Newest first; the next page starts at `before` = the last id of this one."""
    user = signed_in(request)
    require(user, Verb.AUDIT_VIEW)
    texts = filters.dict(exclude={"before", "limit"})
    wanted = replace(search.Wanted.read(texts), before=filters.before)
    return search.find(user, wanted, size=filters.limit).entries
