"""The worker's part of opening a console: look again who asks, find the screen, set its password."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import structlog
from celery import shared_task

from accounts.models import User
from accounts.permissions import Verb
from console import desk, tickets
from console.desk import Outcome
from domains.models import Domain
from hosts import tunnels
from hosts.connections import Hypervisor, borrow
from hosts.models import Host
from hypervisor import errors
from hypervisor.facts import VncEndpoint

log = structlog.get_logger(__name__)

PASSWORD_BYTES = 6
"""Eight characters in base 64: all that VNC authentication looks at."""


@shared_task(name=desk.TASK, acks_late=False, time_limit=2 * desk.PATIENCE_S)
def prepare(digest: str, *, domain_uuid: str, user_id: int, login_hash: str, mode: str) -> None:
    """Make the ticket with that digest serve, and say so; or say why not."""
    try:
        outcome = _prepare(digest, UUID(domain_uuid), user_id, login_hash, tickets.Mode(mode))
    except errors.Unreachable as error:
        outcome = _failed(Outcome.UNREACHABLE, domain_uuid, error)
    except (errors.NotFound, errors.Refused) as error:
        outcome = _failed(Outcome.OFF, domain_uuid, error)
    except tunnels.NoWay as error:
        outcome = _failed(Outcome.NO_TUNNEL, domain_uuid, error)
    except errors.AccessDenied as error:
        outcome = _failed(Outcome.SHUT_OUT, domain_uuid, error)
    except errors.HypervisorError as error:
        outcome = _failed(Outcome.SCREENLESS, domain_uuid, error)
    desk.answer(digest, outcome)


def _prepare(digest: str, domain_uuid: UUID, user_id: int, login_hash: str, mode: tickets.Mode) -> Outcome:
    redis = desk.redis()
    checked_us = tickets.now(redis)
    user = User.objects.filter(pk=user_id).first()
    allowed = Domain.objects.permitted(user, Verb.DOMAIN_CONSOLE).present() if user else Domain.objects.none()
    domain = allowed.select_related("host").filter(uuid=domain_uuid).first()
    if domain is None:
        return Outcome.FORBIDDEN
    with borrow(domain.host) as hypervisor, _unless_off(hypervisor, domain_uuid):
        screen = hypervisor.vnc_endpoint(domain_uuid)
        password = None
        if screen.password_capable:
            password = tickets.shared_password(redis, domain_uuid, secrets.token_urlsafe(PASSWORD_BYTES))
            hypervisor.set_vnc_password(domain_uuid, password, valid_for_s=tickets.TICKET_SECONDS)
    grant = tickets.Grant(
        session_hash=login_hash,
        user_id=user_id,
        domain_uuid=domain_uuid,
        domain_name=domain.name,
        mode=mode,
        checked_us=checked_us,
        **_way_to(domain.host, screen),
        password=password,
        desktop_name=None if password else screen.display_name,
    )
    tickets.store(redis, digest, grant)
    return Outcome.READY


@contextmanager
def _unless_off(hypervisor: Hypervisor, domain_uuid: UUID) -> Iterator[None]:
    """Raise Refused for a failure whose reason is that the machine went off in the middle of it."""
    try:
        yield
    except errors.HypervisorError as error:
        if isinstance(error, errors.Unreachable) or hypervisor.read_domain(domain_uuid).live_id is not None:
            raise
        raise errors.Refused("The machine went off.") from error


def _way_to(host: Host, screen: VncEndpoint) -> dict[str, Any]:
    """How the proxy gets to a screen: directly on this machine, through a tunnel on every other."""
    if not host.remote:
        return {"host": screen.host, "port": screen.port}
    try:
        return {"tunnel": tunnels.open_tunnel(host, screen.host, screen.port).name}
    except errors.AccessDenied as error:  # a host over TLS whose ssh has not been set up to the end
        raise tunnels.NoWay(error.message) from error


def _failed(outcome: Outcome, domain_uuid: str, error: errors.HypervisorError) -> Outcome:
    log.warning("no screen", domain=domain_uuid, outcome=outcome.value, error=str(error))
    return outcome
