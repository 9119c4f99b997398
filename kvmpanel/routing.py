"""Which protocol goes where."""

from __future__ import annotations

from typing import Any

from channels.auth import AuthMiddlewareStack
from channels.routing import ProtocolTypeRouter, URLRouter
from channels.security.websocket import OriginValidator
from django.conf import settings
from django.urls import path

from core.consumers import LiveConsumer


def build(django_site: Any) -> ProtocolTypeRouter:
    """The whole site. Origins are the configured ones, exactly; the Host header has no say."""
    sockets = URLRouter([path("live/", LiveConsumer.as_asgi())])
    return ProtocolTypeRouter(
        {
            "http": django_site,
            "websocket": OriginValidator(AuthMiddlewareStack(sockets), settings.PANEL_ORIGINS),
        }
    )
