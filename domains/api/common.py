"""What the REST modules of this room share: the router, the answer to a call that began an operation, the machine."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from ninja import Router, Schema

from accounts.permissions import Verb
from core.http import signed_in
from domains.models import Domain
from operations.models import Operation

router = Router(tags=["virtual machines"])


class Accepted(Schema):
    """The operation that does the work; follow it at `/operations/{operation}`."""

    operation: UUID
    target: UUID
    title: str
    state: str


def accepted(operation: Operation) -> Accepted:
    """The answer to a call that began an operation."""
    return Accepted(
        operation=operation.pk, target=operation.target_id, title=operation.title, state=operation.state
    )


def permitted(request: HttpRequest, uuid: UUID, verb: Verb) -> Domain:
    """The machine that the caller may do `verb` to; 404 for any other."""
    domains = Domain.objects.permitted(signed_in(request), verb).present().select_related("host", "team")
    found: Domain = get_object_or_404(domains, uuid=uuid)
    return found
