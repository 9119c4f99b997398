"""REST: a ticket for a machine's screen, and who looks at it."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from ninja import Router, Schema, Status

from accounts.authentication import BEARER
from accounts.models import User
from accounts.permissions import Verb
from console import actions, desk, tickets
from core.http import signed_in
from domains.models import Domain

router = Router(tags=["consoles"])


class ConsoleIn(Schema):
    """`view_only` drops keys, pointer and clipboard on the way to the machine."""

    mode: tickets.Mode = tickets.Mode.FULL


class Ticket(Schema):
    """Serves once, within `seconds`, for the login that asked.

    Open a WebSocket at `path` of this panel with the subprotocols `binary` and `ticket.TICKET`, the panel's own
    Origin, and the same session cookie or Authorization header; it speaks RFB 3.8 (RFC 6143).
    """

    ticket: str
    path: str
    seconds: int


class WatcherOut(Schema):
    """Somebody at the screen."""

    user: str
    mode: tickets.Mode


@router.post("/{uuid:uuid}/console", response={201: Ticket}, summary="Open a virtual machine's console")
def open_console(request: HttpRequest, uuid: UUID, body: ConsoleIn) -> Status[Ticket]:
    """404 for a machine whose console you may not open; 409 while there is no screen; 503 if its host is away.

    The `code` of a 409 is `machine_off` where starting the machine is all that it takes.
    """
    ticket = actions.open_console(
        domain=_domain(request, uuid), actor=signed_in(request), login=_login(request), mode=body.mode
    )
    return Status(201, Ticket(ticket=ticket, path="/console/socket", seconds=tickets.TICKET_SECONDS))


@router.get(
    "/{uuid:uuid}/console", response=list[WatcherOut], summary="Who is at a virtual machine's console"
)
def watchers(request: HttpRequest, uuid: UUID) -> list[WatcherOut]:
    """One entry per open console, yours too."""
    here = tickets.watching(desk.redis(), _domain(request, uuid).uuid)
    names = dict(User.objects.filter(pk__in={one.user_id for one in here}).values_list("pk", "username"))
    return [WatcherOut(user=names[one.user_id], mode=one.mode) for one in here if one.user_id in names]


def _domain(request: HttpRequest, uuid: UUID) -> Domain:
    domains = Domain.objects.permitted(signed_in(request), Verb.DOMAIN_CONSOLE).present()
    found: Domain = get_object_or_404(domains.select_related("host"), uuid=uuid)
    return found


def _login(request: HttpRequest) -> str:
    """What the browser or program will prove itself with at the proxy."""
    header = request.headers.get("Authorization", "")
    return header.removeprefix(BEARER).strip() if header else str(request.session.session_key)
