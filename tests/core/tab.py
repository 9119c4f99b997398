"""A browser's tab as the live socket sees it: ASGI messages (ASGI 3.0, "WebSocket"), no network."""

from __future__ import annotations

import json
from typing import Any

from asgiref.testing import ApplicationCommunicator
from django.conf import settings
from django.test import Client

from kvmpanel.routing import build

ORIGIN = "https://localhost:8443"
_TIMEOUT_S = 10


class Tab:
    """One connection to `/live/`, with the cookies of `browser` and the given headers."""

    def __init__(
        self, browser: Client | None, *, origin: str | None = ORIGIN, host: str = "localhost"
    ) -> None:
        headers = [(b"host", host.encode())]
        if origin is not None:
            headers.append((b"origin", origin.encode()))
        if browser is not None:
            name = settings.SESSION_COOKIE_NAME
            headers.append((b"cookie", f"{name}={browser.cookies[name].value}".encode()))
        scope = {
            "type": "websocket",
            "path": "/live/",
            "query_string": b"",
            "headers": headers,
            "subprotocols": [],
        }
        self._wire = ApplicationCommunicator(build(None), scope)

    async def connect(self) -> bool:
        """Whether it was let in."""
        await self._wire.send_input({"type": "websocket.connect"})
        answer = await self._wire.receive_output(_TIMEOUT_S)
        return bool(answer["type"] == "websocket.accept")

    async def disconnect(self) -> None:
        """Close the tab."""
        await self._wire.send_input({"type": "websocket.disconnect", "code": 1001})
        await self._wire.wait(_TIMEOUT_S)

    async def send(self, text: str) -> None:
        """Whatever text."""
        await self._wire.send_input({"type": "websocket.receive", "text": text})

    async def say(self, **message: Any) -> dict[str, Any]:
        """Send a message and give the answer."""
        await self.send(json.dumps(message))
        return await self.hear()

    async def hear(self) -> dict[str, Any]:
        """The next message."""
        message = await self._wire.receive_output(_TIMEOUT_S)
        told: dict[str, Any] = json.loads(message["text"])
        return told

    async def hears_nothing(self, *, for_s: float) -> bool:
        """Whether it stays silent."""
        return bool(await self._wire.receive_nothing(timeout=for_s))

    async def closed_with(self) -> int:
        """The code with which the other side ends it."""
        message = await self._wire.receive_output(_TIMEOUT_S)
        assert message["type"] == "websocket.close"
        return int(message["code"])
