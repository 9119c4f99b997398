"""Which protocol goes where."""

from __future__ import annotations

from typing import Any

from channels.auth import AuthMiddlewareStack
from channels.routing import ProtocolTypeRouter, URLRouter
from django.conf import settings
from django.urls import path

from core.consumers import LiveConsumer
from core.origin import only_from
from storage.uploads import uploads


def build(django_site: Any) -> ProtocolTypeRouter:
    """The whole site. Origins are the configured ones, exactly; the Host header has no say."""
    sockets = URLRouter([path("live/", LiveConsumer.as_asgi())])
    return ProtocolTypeRouter(
        {
            "http": _past_django(django_site),
            "websocket": only_from(settings.PANEL_ORIGINS, AuthMiddlewareStack(sockets)),
        }
    )


def _past_django(django_site: Any) -> Any:
    """Uploads are taken as they come; Django would spool each body to a file first."""

    async def site(scope: Any, receive: Any, send: Any) -> None:
        handler = uploads if scope["path"].startswith("/uploads/") else django_site
        await handler(scope, receive, send)

    return site
