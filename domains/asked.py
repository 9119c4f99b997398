"""What the hosts themselves say of a move that a person thinks about: asked by a worker, kept for a minute."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

from celery import current_app
from django.core.cache import cache

from accounts.models import User
from accounts.permissions import Verb
from domains.models import Domain
from domains.preflight import Finding, Level
from hosts.models import Host

TASK = "domains.preflight"
KEPT_S = 60
PATIENCE_S = 15


def ask(user: User, domain: Domain, target: Host) -> UUID:
    """Let a worker ask both hosts; it publishes the topic "preflight" of the UUID that is returned."""
    question = uuid4()
    cache.set(_key(question), {"user": user.pk, "domain": str(domain.uuid), "target": target.name}, KEPT_S)
    current_app.send_task(
        TASK,
        args=[str(question), str(domain.uuid), str(target.uuid)],
        expires=PATIENCE_S,
        retry=False,
    )
    return question


def answer(question: UUID, findings: list[Finding]) -> None:
    """Keep what was found, unless nobody waits for it any more."""
    kept = cache.get(_key(question))
    if kept is not None:
        told = [[finding.level.value, finding.text, finding.fix] for finding in findings]
        cache.set(_key(question), kept | {"findings": told}, KEPT_S)


def told(user: User, question: UUID) -> dict[str, Any] | None:
    """`target` is the name of the host that it is about, `findings` what was said; None for anybody else's question."""
    kept = cache.get(_key(question))
    if kept is None or kept["user"] != user.pk or "findings" not in kept:
        return None
    if not Domain.objects.permitted(user, Verb.DOMAIN_MIGRATE).filter(uuid=kept["domain"]).exists():
        return None
    findings = [Finding(level=Level(level), text=text, fix=fix) for level, text, fix in kept["findings"]]
    return {"target": kept["target"], "findings": findings}


def _key(question: UUID) -> str:
    return f"preflight:{question}"
