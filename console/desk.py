"""Where the web process and a worker meet over one console: a question by Celery, the outcome by Redis."""

from __future__ import annotations

from enum import StrEnum
from functools import cache
from typing import cast

from celery import current_app
from django.conf import settings
from redis import Redis

from console.tickets import TICKET_SECONDS

PATIENCE_S = 10
"""How long a person's browser waits for a worker."""

TASK = "console.prepare"


class Outcome(StrEnum):
    """What became of a wish to see a screen."""

    READY = "ready"
    FORBIDDEN = "forbidden"
    OFF = "off"
    SCREENLESS = "screenless"
    NO_TUNNEL = "no_tunnel"
    SHUT_OUT = "shut_out"
    UNREACHABLE = "unreachable"
    LATE = "late"


@cache
def redis() -> Redis:
    """This process's client; its time-out is longer than any wait."""
    return Redis.from_url(settings.REDIS_URL, socket_timeout=PATIENCE_S + 5)


def ask(digest: str, *, domain_uuid: str, user_id: int, login_hash: str, mode: str) -> None:
    """Ask any worker to make the ticket with that digest serve. A question nobody took in time is dropped."""
    arguments = {"domain_uuid": domain_uuid, "user_id": user_id, "login_hash": login_hash, "mode": mode}
    current_app.send_task(TASK, args=[digest], kwargs=arguments, expires=PATIENCE_S, retry=False)


def answer(digest: str, outcome: Outcome) -> None:
    """Tell the one who asked. Told to nobody, it is forgotten with the ticket."""
    key = _key(digest)
    with redis().pipeline() as pipe:
        pipe.rpush(key, outcome.value)
        pipe.expire(key, TICKET_SECONDS)
        pipe.execute()


def wait(digest: str) -> Outcome:
    """The outcome, LATE after `PATIENCE_S` without one."""
    told = cast("tuple[bytes, bytes] | None", redis().blpop([_key(digest)], timeout=PATIENCE_S))
    return Outcome(told[1].decode()) if told else Outcome.LATE


def _key(digest: str) -> str:
    return f"console:outcome:{digest}"
