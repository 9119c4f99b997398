"""The live socket: one per browser tab, at `/live/`.

From the browser: `{"watch": ["KIND:KEY", …], "age": MS}` replaces the set of watched topics; pieces that are new in it
were drawn up to `age` milliseconds ago, and those that changed since are sent at once. `{"ping": 1}` is answered.
To the browser: `{"topic": "KIND:KEY", "html": "…"}` (an empty html says only "changed": the page fetches what it
needs), `{"gone": "KIND:KEY"}` where the person may not see it (any more), and `{"stale": true}` where the panel no
longer knows what changed in that time.
"""

from __future__ import annotations

import json
from typing import Any

import structlog
from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncWebsocketConsumer
from django.contrib.auth import get_user_model

from core import live
from core.events import KNOWN_FOR, changed_within, group

log = structlog.get_logger(__name__)

MAX_TOPICS = 400
MAX_MESSAGE_BYTES = 64 * 1024
SIGNED_OUT = 4401
COME_AGAIN = 4402


class LiveConsumer(AsyncWebsocketConsumer):  # type: ignore[misc]
    """Forwards hints; asks for permission each time it renders, so a lost role takes effect at once."""

    async def connect(self) -> None:
        """Refuse who is not signed in; the Origin was checked before this runs."""
        self.watched: dict[str, dict[str, None]] = {}
        self.user_id = 0  # nobody
        user = self.scope["user"]
        if not user.is_authenticated:
            await self.close(code=SIGNED_OUT)
            return
        self.user_id = user.pk
        self.session_key = self.scope["session"].session_key or "none"
        for name in self._own_groups():
            await self.channel_layer.group_add(name, self.channel_name)
        await self.accept()

    async def disconnect(self, code: int) -> None:
        """Leave every group."""
        for name in [*self.watched, *self._own_groups()]:
            await self.channel_layer.group_discard(name, self.channel_name)

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        """Take a new set of topics; anything malformed ends the connection."""
        message = _parsed(text_data)
        if "ping" in message:
            await self.send(text_data='{"pong": 1}')
            return
        wanted, age = _wanted(message), message.get("age", 0)
        if wanted is None or not isinstance(age, int):
            await self.close(code=4400)
            return
        before = self.watched
        for name in self.watched.keys() - wanted.keys():
            await self.channel_layer.group_discard(name, self.channel_name)
        for name in wanted.keys() - self.watched.keys():
            await self.channel_layer.group_add(name, self.channel_name)
        self.watched = wanted
        await self.send(text_data=json.dumps({"watching": sum(map(len, wanted.values()))}))
        await self._catch_up(
            [name for name in wanted if wanted[name].keys() - before.get(name, {}).keys()], age / 1000
        )

    async def _catch_up(self, groups: list[str], age: float) -> None:
        """Send what changed within `age` seconds: hints that came before the subscription."""
        if age > KNOWN_FOR:
            await self.send(text_data='{"stale": true}')
            return
        for name in await database_sync_to_async(changed_within)(groups, age):
            kind, _, key = name.removeprefix("live.").rpartition(".")
            await self.live_changed({"kind": kind, "key": key})

    async def live_changed(self, message: dict[str, Any]) -> None:
        """Render each watched piece that the hint is about and send it."""
        key = message["key"]
        for kind in self.watched.get(group(message["kind"], key), ()):
            html = await self._render(kind, key)
            name = f"{kind}:{key}"
            answer = {"gone": name} if html is None else {"topic": name, "html": html}
            await self.send(text_data=json.dumps(answer))

    async def live_ended(self, message: dict[str, Any]) -> None:
        """The login was ended: stop telling. The one that lives on gets a new key, by which it must be ended later."""
        await self.close(code=COME_AGAIN if message["keep"] == self.session_key else SIGNED_OUT)

    def _own_groups(self) -> list[str]:
        if not self.user_id:
            return []
        return [group("session", self.session_key), group("user", str(self.user_id))]

    @database_sync_to_async  # type: ignore[untyped-decorator]
    def _render(self, kind: str, key: str) -> str | None:
        user = get_user_model().objects.filter(pk=self.user_id, is_active=True).first()
        topic = live.topic(kind)
        return None if user is None or topic is None else topic.render(user, key)


def _parsed(text: str | None) -> dict[str, Any]:
    """The message, or an empty one where it is not a JSON object of a sane size."""
    if text is None or len(text) > MAX_MESSAGE_BYTES:
        return {}
    try:
        message = json.loads(text)
    except ValueError:
        return {}
    return message if isinstance(message, dict) else {}


def _wanted(message: dict[str, Any]) -> dict[str, dict[str, None]] | None:
    """Groups to the topic kinds watched in each, in the page's order: what stands above is drawn anew first.

    None where the message is not of the agreed form.
    """
    names = message.get("watch")
    if not isinstance(names, list) or len(names) > MAX_TOPICS:
        return None
    wanted: dict[str, dict[str, None]] = {}
    for name in names:
        kind, _, key = str(name).partition(":")
        topic = live.topic(kind)
        if (
            topic is None
            or not key
            or len(key) > 64
            or not key.replace("-", "").isalnum()
            or not key.isascii()
        ):
            return None
        wanted.setdefault(group(topic.event, key), {})[kind] = None
    return wanted
