"""The document of a machine's present run: read by a worker when somebody looks, kept for a minute without its secrets.

It differs from the definition by what libvirt chose at the start (ports, addresses, aliases), and by changes that
wait for the next start.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

import structlog
from celery import current_app
from django.core.cache import cache
from django.utils import timezone
from kombu.exceptions import OperationalError

from core.events import publish
from domains.models import Domain

log = structlog.get_logger(__name__)

TASK: Final = "domains.read_running"
KEPT_S: Final = 60
# However many people look, it is read no more often.
EVERY_S: Final = 4
_EXPIRES_S: Final = 10


def ask(domain: Domain) -> None:
    """Let a worker read it, unless that was asked for a moment ago; the topic `running-definition` tells the end."""
    if not cache.add(f"running-asked.{domain.uuid}", 1, EVERY_S):
        return
    try:
        current_app.send_task(TASK, args=[str(domain.uuid)], expires=_EXPIRES_S, retry=False)
    except OperationalError as error:
        log.warning("queue unreachable; the running document is not read", error=str(error))


def keep(domain: Domain, hidden: str, *, refused: str = "") -> None:
    """Put a document without secrets, or why there is none, where `told` finds it, and tell who looks."""
    cache.set(_key(domain), [hidden, refused, timezone.now().isoformat()], KEPT_S)
    publish("running-definition", domain.uuid)


def told(domain: Domain) -> tuple[str, str, datetime] | None:
    """The document, or why there is none, and when it was read; None where nobody read it within a minute."""
    kept = cache.get(_key(domain))
    return None if kept is None else (kept[0], kept[1], datetime.fromisoformat(kept[2]))


def _key(domain: Domain) -> str:
    return f"running.{domain.uuid}.{domain.live_id}"
