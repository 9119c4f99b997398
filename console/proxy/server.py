"""Accepts browsers, admits those with a ticket, and ends consoles whose right was taken back."""

import asyncio
import contextlib
import itertools
import socket
import time
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from console import tickets
from console.closing import Closing
from console.proxy import rfb
from console.proxy.browser import BrokenFrame, Browser, Refused, Request, read_request, refuse
from console.proxy.relay import Relay
from console.proxy.settings import Settings
from console.proxy.view_only import ViewOnly

log = structlog.get_logger("console.proxy")

KNOCKING = 512
"""How many connections may be on their way to a console; beyond that they are closed unheard."""

RETRY_SECONDS = 1


class TurnedAway(Exception):
    """A browser that gets no console; `closing` is what it is told, the message is for the log."""

    def __init__(self, closing: Closing, why: str) -> None:
        super().__init__(why)
        self.closing = closing


@dataclass(eq=False, slots=True)
class Console:
    """One admitted browser. Its relay is there once both handshakes are done."""

    number: str
    grant: tickets.Grant
    opened: float = field(default_factory=time.monotonic)
    relay: Relay | None = None
    ending: Closing | None = None

    def end(self, closing: Closing) -> None:
        """End it now, or as soon as its handshakes are done."""
        self.ending = self.ending or closing
        if self.relay:
            self.relay.end(closing)


class Proxy:
    """The service: `serve` until `stop` is set."""

    def __init__(self, settings: Settings, *, redis: Redis, subscriber: Redis) -> None:
        self._settings = settings
        self._redis = redis
        self._subscriber = subscriber
        self._consoles: set[Console] = set()
        self._visits: set[asyncio.Task[None]] = set()
        self._numbers = itertools.count(1)

    async def serve(self, stop: asyncio.Event) -> None:
        """Listen, keep the consoles, and close them all politely in the end. Raises OSError if it can't listen."""
        listener = listen(self._settings)
        duties = [asyncio.create_task(duty) for duty in (self._accept(listener), self._obey(), self._keep())]
        stopped = asyncio.create_task(stop.wait())
        log.info("listening", at=str(self._settings.listen), origins=sorted(self._settings.origins))
        try:
            done, _ = await asyncio.wait([stopped, *duties], return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (stopped, *duties):
                task.cancel()
            listener.close()
            await self._close_all()
        for task in done - {stopped}:
            task.result()  # a duty never ends by itself: show why it did

    async def _close_all(self) -> None:
        for console in self._consoles:
            console.end(Closing.RESTARTING)
        if self._visits:
            _, late = await asyncio.wait(self._visits, timeout=2 * self._settings.parting_seconds)
            for visit in late:
                visit.cancel()
        log.info("stopped")

    async def _accept(self, listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                connection, _ = await loop.sock_accept(listener)
            except OSError as error:
                # Out of file descriptors or memory: those who are inside stay, and one of them will leave.
                log.error("cannot accept", error=str(error))
                await asyncio.sleep(RETRY_SECONDS)
                continue
            if len(self._visits) - len(self._consoles) >= KNOCKING:
                connection.close()
                continue
            visit = asyncio.create_task(self._visit(connection))
            self._visits.add(visit)
            visit.add_done_callback(self._visited)

    def _visited(self, visit: asyncio.Task[None]) -> None:
        self._visits.discard(visit)
        if not visit.cancelled() and (error := visit.exception()):
            log.error("a visit broke off", exc_info=error)

    async def _visit(self, connection: socket.socket) -> None:
        """One connection from its first byte to its last."""
        with connection:
            connection.settimeout(0)
            if connection.family != socket.AF_UNIX:
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            try:
                async with asyncio.timeout(self._settings.handshake_seconds):
                    browser, request = await self._upgrade(connection)
            except (TimeoutError, EOFError, OSError):
                return
            try:
                closing = await self._admitted(browser, request)
            except TurnedAway as turned:
                closing = turned.closing
                log.warning("turned away", closing=closing.reason, why=str(turned))
            if closing is not None:
                await part(browser, closing, seconds=self._settings.parting_seconds)

    async def _upgrade(self, connection: socket.socket) -> tuple[Browser, Request]:
        """Make a WebSocket of the connection, or answer it in HTTP and raise EOFError."""
        try:
            request = await read_request(connection)
            if request.origin not in self._settings.origins:
                raise Refused(HTTPStatus.FORBIDDEN, f"origin {request.origin!r:.80}")
            browser = Browser()
            browser.upgrade(connection, request)
        except Refused as refusal:
            log.warning("refused", status=refusal.status.value, why=str(refusal))
            await refuse(connection, refusal)
            raise EOFError from refusal
        return browser, request

    async def _admitted(self, browser: Browser, request: Request) -> Closing | None:
        """A console from its ticket to its end; why it ended, None if the browser left. Raises TurnedAway."""
        grant = await self._redeem(request)
        if (
            sum(console.grant.user_id == grant.user_id for console in self._consoles)
            >= self._settings.per_person
        ):
            raise TurnedAway(
                Closing.TOO_MANY, f"user {grant.user_id} has {self._settings.per_person} consoles"
            )
        console = Console(number=f"{next(self._numbers)}-{time.time_ns()}", grant=grant)
        self._consoles.add(console)
        try:
            return await self._connected(browser, console)
        finally:
            self._consoles.discard(console)
            with contextlib.suppress(RedisError):
                await tickets.unwatch(self._redis, console.number, grant)

    async def _redeem(self, request: Request) -> tickets.Grant:
        ticket, login = request.ticket(), request.login(self._settings.session_cookie)
        if ticket is None or login is None:
            raise TurnedAway(Closing.TICKET_REFUSED, "no ticket or no login")
        try:
            grant = await tickets.redeem(self._redis, ticket, tickets.session_hash(login))
        except RedisError as error:
            raise TurnedAway(Closing.UNAVAILABLE, str(error)) from error
        if grant is None:
            raise TurnedAway(Closing.TICKET_REFUSED, "unknown, late, used or another login's")
        return grant

    async def _connected(self, browser: Browser, console: Console) -> Closing | None:
        """Both handshakes, then the relay."""
        grant = console.grant
        guest = await self._reach(grant)
        with guest:
            try:
                async with asyncio.timeout(self._settings.handshake_seconds):
                    init = await rfb.open_screen(
                        guest, password=grant.password, desktop_name=grant.desktop_name
                    )
            except (rfb.BadScreen, OSError) as error:
                raise TurnedAway(
                    Closing.BAD_SCREEN, f"{grant.domain_uuid}: {str(error) or 'no answer'}"
                ) from error
            except rfb.WrongScreen as error:
                raise TurnedAway(Closing.WRONG_MACHINE, f"{grant.domain_uuid}: {error}") from error
            # Before the browser's half is done: its page asks who else is there as soon as it is.
            await self._announce([console])
            try:
                async with asyncio.timeout(self._settings.handshake_seconds):
                    early = await rfb.greet(browser.receive, browser.deliver, init)
            except (rfb.BadBrowser, BrokenFrame) as error:
                raise TurnedAway(Closing.BAD_CLIENT, str(error)) from error
            except (EOFError, OSError):
                return None
            return await self._relayed(browser, guest, console, early)

    async def _reach(self, grant: tickets.Grant) -> socket.socket:
        guest, place = _way_to(grant, self._settings.tunnels)
        try:
            async with asyncio.timeout(self._settings.handshake_seconds):
                await asyncio.get_running_loop().sock_connect(guest, place)
        except OSError as error:
            guest.close()
            raise TurnedAway(
                Closing.MACHINE_OFF, f"{grant.domain_uuid}: {str(error) or 'no answer'}"
            ) from error
        return guest

    async def _relayed(
        self, browser: Browser, guest: socket.socket, console: Console, early: bytes
    ) -> Closing | None:
        grant = console.grant
        line = log.bind(console=console.number, user=grant.user_id, domain=str(grant.domain_uuid))
        passing = ViewOnly() if grant.mode is tickets.Mode.VIEW_ONLY else None
        console.relay = relay = Relay(browser, guest, passing=passing)
        # What was taken back between the ticket's use and this console's entry in the list is found here.
        await self._sweep()
        if console.ending:
            relay.end(console.ending)
        line.info("opened", mode=grant.mode.value)
        closing = await relay.run(early)
        line.info(
            "closed",
            why=closing.reason if closing else "left",
            seconds=round(time.monotonic() - console.opened, 1),
            bytes_down=relay.bytes_down,
            bytes_up=relay.bytes_up,
        )
        return closing

    async def _obey(self) -> None:
        """End consoles as soon as the panel says that rights were taken back.

        Each message is a hint to look; so is the confirmation of each new subscription after a lost connection.
        """
        while True:
            try:
                async with self._subscriber.pubsub() as channel:
                    await channel.subscribe(tickets.CHANNEL)
                    async for _ in channel.listen():
                        await self._sweep()
            except RedisError as error:
                log.warning("redis is away", error=str(error))
            await asyncio.sleep(RETRY_SECONDS)

    async def _keep(self) -> None:
        """Every few seconds: drop the dead and the old, look for lost messages, say who is watching."""
        while True:
            await asyncio.sleep(self._settings.ping_seconds)
            oldest = time.monotonic() - tickets.CONSOLE_SECONDS
            for console in list(self._consoles):
                if console.opened < oldest:
                    console.end(Closing.TOO_LONG)
                if console.relay:
                    console.relay.check_alive(self._settings.dead_seconds)
            await self._sweep()
            await self._announce([console for console in self._consoles if console.relay])

    async def _sweep(self) -> None:
        consoles = {id(console.grant): console for console in self._consoles}
        try:
            for grant, closing in await tickets.revoked(
                self._redis, [console.grant for console in consoles.values()]
            ):
                consoles[id(grant)].end(closing)
        except RedisError as error:
            log.warning("redis is away", error=str(error))

    async def _announce(self, consoles: list[Console]) -> None:
        if not consoles:
            return
        try:
            await tickets.watch(self._redis, [(console.number, console.grant) for console in consoles])
        except RedisError as error:
            log.warning("redis is away", error=str(error))


def _way_to(grant: tickets.Grant, tunnels: Path) -> tuple[socket.socket, str | tuple[str, int]]:
    """A socket of the right kind, not connected, and where to connect it."""
    if grant.tunnel:
        guest = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        guest.settimeout(0)
        return guest, str(tunnels / grant.tunnel)
    guest = socket.socket(socket.AF_INET6 if ":" in grant.host else socket.AF_INET, socket.SOCK_STREAM)
    guest.settimeout(0)
    guest.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return guest, (grant.host, grant.port)


def listen(settings: Settings) -> socket.socket:
    """A listening socket. An old unix socket in the way is replaced; nginx may reach it by its group."""
    if isinstance(settings.listen, tuple):
        listener = socket.create_server(settings.listen, backlog=1024)
    else:
        settings.listen.unlink(missing_ok=True)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listener.bind(str(settings.listen))
        settings.listen.chmod(0o660)
        listener.listen(1024)
    listener.settimeout(0)
    return listener


async def part(browser: Browser, closing: Closing, *, seconds: float) -> None:
    """Say why, and give the browser a moment to hear it: closing a socket with unread bytes would cut it off."""
    browser.say_close(closing.code, closing.reason)
    with contextlib.suppress(TimeoutError, EOFError, OSError):
        async with asyncio.timeout(seconds):
            await browser.emptied()
            await browser.leave()
