"""Opening a console."""

from __future__ import annotations

from django.db import transaction
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

import audit
from accounts.models import User
from accounts.permissions import Verb
from accounts.scoping import require
from console import desk, tickets
from console.desk import Outcome
from core.errors import Conflict, Forbidden, PanelError, Unavailable
from domains.models import Domain
from hosts.models import HostState


class MachineOff(Conflict):
    """There will be a screen as soon as the machine is started."""

    code = "machine_off"


def open_console(*, domain: Domain, actor: User, login: str, mode: tickets.Mode) -> str:
    """A ticket with which the login (a session's key or an API token) may see the screen once, within seconds.

    Raises Forbidden, Conflict for a machine without a screen to see, Unavailable where no worker or host answers.
    """
    require(actor, Verb.DOMAIN_CONSOLE, domain)
    if not domain.on:
        raise _refusal(Outcome.OFF, domain)
    if not domain.has_screen:
        raise _refusal(Outcome.SCREENLESS, domain)
    if domain.host.state == HostState.BLOCKED:
        raise _refusal(Outcome.SHUT_OUT, domain)
    # A host that hangs keeps the worker that asks it; a few pages that ask again and again would take all of them.
    if not domain.host.up:
        raise _refusal(Outcome.UNREACHABLE, domain)
    ticket, digest = tickets.draw()
    with transaction.atomic():
        audit.record(actor, "console.open", target=domain, mode=mode.value)
    try:
        desk.ask(
            digest,
            domain_uuid=str(domain.uuid),
            user_id=actor.pk,
            login_hash=tickets.session_hash(login),
            mode=mode.value,
        )
        outcome = desk.wait(digest)
    except (RedisError, OperationalError) as error:
        raise Unavailable("The panel's queue does not answer.", fix="Try again in a moment.") from error
    if outcome is not Outcome.READY:
        raise _refusal(outcome, domain)
    return ticket


def _refusal(outcome: Outcome, domain: Domain) -> PanelError:
    match outcome:
        case Outcome.OFF:
            return MachineOff(f"{domain.name} is off.", fix="Start it first.")
        case Outcome.SCREENLESS:
            return Conflict(f"{domain.name} has no VNC screen.", fix="Add a VNC display to its definition.")
        case Outcome.UNREACHABLE:
            return Unavailable(f"{domain.host.name} does not answer.", fix="Try again when its host is back.")
        case Outcome.NO_TUNNEL:
            return Conflict(
                f"The panel has no SSH connection to {domain.host.name}, and consoles go through one.",
                fix="The checks on the host's page say what is missing.",
            )
        case Outcome.SHUT_OUT:
            return Conflict(
                f"{domain.host.name} does not let the panel in, or is not what it was.",
                fix="The checks on the host's page say what to do.",
            )
        case Outcome.FORBIDDEN:
            return Forbidden("You may not do this.", fix="Ask an operator for the right to do it.")
        case _:
            return Unavailable("All of the panel's workers are busy.", fix="Try again in a moment.")
