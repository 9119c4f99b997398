"""Only pages of this panel may open its sockets (RFC 6455 §10.2): browsers send cookies along from any page."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any


def only_from(origins: Collection[str], application: Any) -> Any:
    """`application` for connections whose one Origin header is among `origins`, letter by letter; others get a 403.

    Compared as text and never parsed: there is one way to write an allowed origin, and nothing to misread.
    """
    allowed = {origin.encode() for origin in origins}

    async def door(scope: Any, receive: Any, send: Any) -> None:
        given = [value for name, value in scope["headers"] if name == b"origin"]
        if len(given) == 1 and given[0] in allowed:
            await application(scope, receive, send)
        else:
            # A close before the accept: the server answers the handshake with 403 (ASGI 3.0, "Close").
            await send({"type": "websocket.close", "code": 1008})

    return door
