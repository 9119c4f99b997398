"""Asking for a machine to become another one, and saying whose it is."""

from __future__ import annotations

from django.db import transaction

import audit
from accounts.models import Team, User
from accounts.permissions import Verb
from accounts.scoping import require
from core.errors import Conflict, InvalidInput
from core.events import publish
from domains import versions
from domains.actions.ask import ask
from domains.models import Domain
from domains.option_wishes import Wish
from domains.options import bootable, defined
from operations import actions as operations
from operations.models import Operation


@transaction.atomic
def change(
    *, wish: Wish, domain: Domain, actor: User, sha: str = "", idempotency_key: str | None = None
) -> Operation:
    """Ask for what `wish` says: in the definition, and at once as far as the wish says so and QEMU can.

    `sha` is that of the definition that the person saw, blank for the one last seen here. Raises Forbidden, TargetBusy,
    InvalidInput (the first of the wish's problems), and Conflict where somebody else changed the definition since.
    """
    require(actor, Verb.DOMAIN_EDIT, domain)
    before = operations.earlier(actor, idempotency_key, wish.kind, domain)
    if before is not None:
        return before
    if not defined(domain):
        raise Conflict("Its definition was not seen yet.", fix="Wait until its host answers.")
    if sha and not versions.unchanged_by_others(domain, sha, actor=actor):
        raise Conflict(
            "Somebody changed its definition meanwhile, so nothing was done.",
            fix="Look at what is there now, and ask again.",
        )
    for problem in wish.problems(domain):
        raise problem
    arguments = wish.arguments(domain)
    return ask(
        wish.kind,
        domain=domain,
        actor=actor,
        params={"sha": domain.xml_sha, "change": arguments, "live": wish.at_once(domain)},
        details=arguments,
        idempotency_key=idempotency_key,
    )


@transaction.atomic
def start_from(*, device: str, domain: Domain, actor: User, idempotency_key: str | None = None) -> Operation:
    """Ask for one start from `device`, a disk's target or a card's MAC address; later starts go by the definition.

    Raises Forbidden, TargetBusy, InvalidInput for a device that it doesn't have, and Conflict where it isn't off.
    """
    require(actor, Verb.DOMAIN_POWER, domain)
    if device not in {one.name for one in bootable(domain)}:
        raise InvalidInput("It has no such disk or network card.", field="device")
    return ask(
        "domain.start-from",
        domain=domain,
        actor=actor,
        params={"device": device},
        details={"device": device},
        title=f"Start {domain.name} once from {device}",
        idempotency_key=idempotency_key,
    )


@transaction.atomic
def assign(*, domain: Domain, owner: User | None, team: Team | None, actor: User) -> None:
    """Say whose the machine is: a person's, a team's, both's or nobody's.

    Raises Forbidden, and InvalidInput for an owner who may not sign in any more.
    """
    require(actor, Verb.DOMAIN_ASSIGN, domain)
    if owner is not None and not owner.is_active and owner.pk != domain.owner_id:
        raise InvalidInput("This person can't sign in any more.", field="owner")
    if (owner, team) == (domain.owner, domain.team):
        return
    audit.record(
        actor,
        "domain.assign",
        target=domain,
        owner=owner.username if owner else "",
        team=team.name if team else "",
    )
    Domain.objects.filter(pk=domain.pk).update(owner=owner, team=team)
    publish("domain", domain.uuid)
    publish("domains")
