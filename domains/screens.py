"""Small pictures of machines' screens: taken by a worker when somebody looks, kept for a minute, never stored.

A picture belongs to one run of a machine: after a restart the previous run's screen is not shown again.
"""

from __future__ import annotations

from typing import Final

import structlog
from celery import current_app
from django.core.cache import cache
from kombu.exceptions import OperationalError

from core.events import publish
from domains.models import Domain

log = structlog.get_logger(__name__)

MIME_TYPE: Final = "image/webp"
KEPT_S: Final = 60
# However many people look at a machine, its screen is taken no more often than this.
EVERY_S: Final = 4
# A picture that nobody took by now is one that nobody waits for.
EXPIRES_S: Final = 10


def shows(domain: Domain) -> bool:
    """Whether there is a screen to take a picture of; `domain` comes with its host."""
    return domain.has_screen and domain.live_id is not None and domain.host.up


def latest(domain: Domain) -> bytes | None:
    """The newest picture of this run (MIME_TYPE), at most a minute old."""
    picture: bytes | None = cache.get(_key(domain))
    return picture


def ask(domain: Domain) -> None:
    """Let a worker take a picture, unless that was asked for a moment ago; `screen` is published when it is there."""
    if not cache.add(f"screen-asked.{domain.uuid}", 1, EVERY_S):
        return
    try:
        current_app.send_task("domains.screenshot", args=[str(domain.uuid)], expires=EXPIRES_S, retry=False)
    except OperationalError as error:
        log.warning("queue unreachable; no picture is taken", error=str(error))


def keep(domain: Domain, picture: bytes) -> None:
    """Put a picture where `latest` finds it, and tell who looks."""
    cache.set(_key(domain), picture, KEPT_S)
    publish("screen", domain.uuid)


def _key(domain: Domain) -> str:
    return f"screen.{domain.uuid}.{domain.live_id}"
