"""Tickets: the right of one login to see one screen once, for thirty seconds.

    web               draw() → the ticket for the browser, its digest for the worker
    worker            store(digest, grant) ─▶ Redis: SHA-256 of the ticket → grant, 30 s
    console proxy     redeem(ticket) ◀─────── GETDEL, so that it serves once

A ticket is 32 random bytes and exists in clear only on its way to the browser. `close` takes rights back: it
refuses tickets not used yet and ends consoles already open. What was taken back is kept as long as the longest
console lives, because the message that tells the proxy at once may be lost; the key is the truth, the message a
hint. Times are those of Redis's clock, so that processes on several machines agree.
"""

import hashlib
import json
import re
import secrets
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import cast
from uuid import UUID

from redis import Redis
from redis.asyncio import Redis as AsyncRedis

from console.closing import REVOCATIONS, Closing

TICKET_SECONDS = 30
CONSOLE_SECONDS = 12 * 3600
WATCHING_SECONDS = 60
CHANNEL = "console:revoked"
_TUNNEL = re.compile(r"t[0-9]+-[0-9]+(-[0-9a-f]{6})?")


class Mode(StrEnum):
    """What a person may do at the screen."""

    FULL = "full"
    VIEW_ONLY = "view_only"


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """What a ticket stands for.

    `checked_us` is Redis's clock (`now`) from before the permission was checked: what is taken back later wins.
    The proxy proves that it reached the right screen by `password` (VNC authentication with the password set
    for this opening) or, for a machine defined without one, by the screen's `desktop_name`. The way there is `host`
    and `port`, or for a screen on another host the `tunnel`: the name of a unix socket in the panel's run folder.
    """

    session_hash: str
    user_id: int
    domain_uuid: UUID
    domain_name: str
    mode: Mode
    checked_us: int
    host: str = ""
    port: int = 0
    tunnel: str = ""
    password: str | None = None
    desktop_name: str | None = None

    def __post_init__(self) -> None:
        if self.password is None and self.desktop_name is None:
            raise ValueError("a grant needs a password or a desktop name to know the screen by")
        if bool(self.tunnel) == bool(self.host and self.port):
            raise ValueError("a grant leads either to a host and a port or through a tunnel")
        # Beside the tunnels lie sockets that nobody must be led to: Redis, the supervisor.
        if self.tunnel and not _TUNNEL.fullmatch(self.tunnel):
            raise ValueError("this is not what a tunnel is called")

    def dump(self) -> str:
        """As JSON, for Redis."""
        return json.dumps(asdict(self) | {"domain_uuid": str(self.domain_uuid)})

    @classmethod
    def load(cls, text: str | bytes) -> "Grant":
        """From `dump`'s JSON. Raises TypeError, KeyError or ValueError for anything else."""
        fields = json.loads(text)
        uuid, mode = UUID(fields.pop("domain_uuid")), Mode(fields.pop("mode"))
        return cls(domain_uuid=uuid, mode=mode, **fields)

    def scopes(self) -> list[str]:
        """The Redis keys under which this grant may have been taken back."""
        return [
            _scope(domain_uuid=self.domain_uuid),
            _scope(session_hash=self.session_hash),
            _scope(user_id=self.user_id),
            _scope(domain_uuid=self.domain_uuid, user_id=self.user_id),
        ]


def session_hash(secret: str) -> str:
    """What a ticket remembers of a login, by its session key or its API token: never the secret itself."""
    return hashlib.sha256(secret.encode()).hexdigest()


def now(redis: Redis) -> int:
    """Redis's clock in microseconds; take it before checking the permission a grant rests on."""
    seconds, micros = redis.time()
    return seconds * 1_000_000 + micros


def draw() -> tuple[str, str]:
    """A new ticket, 43 characters of the URL-safe alphabet, and its digest; it serves once `store` was called."""
    ticket = secrets.token_urlsafe(32)
    return ticket, _digest(ticket)


def store(redis: Redis, digest: str, grant: Grant, *, seconds: float = TICKET_SECONDS) -> None:
    """Let the ticket with that digest serve for `seconds`. Whoever stores never needs to see the ticket."""
    redis.set(_ticket_key(digest), grant.dump(), px=round(seconds * 1000))


def shared_password(redis: Redis, domain_uuid: UUID, fresh: str) -> str:
    """The VNC password for this opening: `fresh`, unless somebody opened the same screen a moment ago.

    A screen has one password at a time; two people who open it together would otherwise lock each other out.
    """
    earlier = redis.set(
        f"console:password:{domain_uuid}", json.dumps(fresh), nx=True, ex=TICKET_SECONDS, get=True
    )
    return str(json.loads(cast("bytes", earlier))) if earlier else fresh


async def redeem(redis: AsyncRedis, ticket: str, session_hash: str) -> Grant | None:
    """Use a ticket up. None, all the same, if it is unknown, late, used, taken back or another login's."""
    stored = await redis.getdel(_ticket_key(_digest(ticket)))
    if stored is None:
        return None
    grant = Grant.load(stored)
    if not secrets.compare_digest(grant.session_hash, session_hash):
        return None
    return None if await revoked(redis, [grant]) else grant


def close(
    redis: Redis,
    *,
    why: Closing,
    domain_uuid: UUID | None = None,
    session_hash: str | None = None,
    user_id: int | None = None,
) -> None:
    """Take back every console and ticket of a domain, a login, a person, or a person at a domain.

    Rights given afterwards are not touched. Raises ValueError for another combination and for a `why` that is
    none of `REVOCATIONS`.
    """
    if why not in REVOCATIONS:
        raise ValueError(f"{why.name} is not a reason to take a console back")
    scope = _scope(domain_uuid=domain_uuid, session_hash=session_hash, user_id=user_id)
    redis.set(scope, f"{now(redis)} {why.name}", ex=CONSOLE_SECONDS)
    redis.publish(CHANNEL, "")


async def revoked(redis: AsyncRedis, grants: Iterable[Grant]) -> list[tuple[Grant, Closing]]:
    """Those of `grants` that were taken back, each with the reason; one round trip for all."""
    keyed = [(grant, scope) for grant in grants for scope in grant.scopes()]
    if not keyed:
        return []
    values = await redis.mget([scope for _, scope in keyed])
    found: dict[int, tuple[Grant, Closing]] = {}
    for (grant, _), value in zip(keyed, values, strict=True):
        if value is not None:
            at_us, _, name = (value.decode() if isinstance(value, bytes) else value).partition(" ")
            if int(at_us) >= grant.checked_us:
                found.setdefault(id(grant), (grant, Closing[name]))
    return list(found.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Watcher:
    """One open console, as told to the others at the same screen."""

    console: str
    user_id: int
    mode: Mode


async def watch(redis: AsyncRedis, consoles: Iterable[tuple[str, Grant]]) -> None:
    """Say that these consoles are open; true for `WATCHING_SECONDS` and to be said again before."""
    seconds, _ = await redis.time()
    async with redis.pipeline(transaction=False) as pipe:
        for console, grant in consoles:
            key = _watching_key(grant.domain_uuid)
            pipe.zadd(key, {_watcher(console, grant): seconds + WATCHING_SECONDS})
            pipe.expire(key, WATCHING_SECONDS)
        await pipe.execute()


async def unwatch(redis: AsyncRedis, console: str, grant: Grant) -> None:
    """Say that a console is no longer open."""
    await redis.zrem(_watching_key(grant.domain_uuid), _watcher(console, grant))


def watching(redis: Redis, domain_uuid: UUID) -> list[Watcher]:
    """The consoles that are open at a domain's screen."""
    key = _watching_key(domain_uuid)
    members = cast("list[bytes | str]", redis.zrangebyscore(key, now(redis) // 1_000_000, "+inf"))
    rows = [json.loads(member) for member in members]
    return [Watcher(console=console, user_id=user_id, mode=Mode(mode)) for console, user_id, mode in rows]


def _watcher(console: str, grant: Grant) -> str:
    return json.dumps([console, grant.user_id, grant.mode])


def _watching_key(domain_uuid: UUID) -> str:
    return f"console:watching:{domain_uuid}"


def _digest(ticket: str) -> str:
    return hashlib.sha256(ticket.encode()).hexdigest()


def _ticket_key(digest: str) -> str:
    return f"console:ticket:{digest}"


def _scope(
    *, domain_uuid: UUID | None = None, session_hash: str | None = None, user_id: int | None = None
) -> str:
    match (domain_uuid, session_hash, user_id):
        case (UUID() as uuid, None, None):
            return f"console:revoked:domain:{uuid}"
        case (None, str() as login, None):
            return f"console:revoked:session:{login}"
        case (None, None, int() as person):
            return f"console:revoked:user:{person}"
        case (UUID() as uuid, None, int() as person):
            return f"console:revoked:user:{person}:domain:{uuid}"
        case _:
            raise ValueError("name a domain, a login, a person, or a person and a domain")
