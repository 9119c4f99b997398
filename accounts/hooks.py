"""What ends with a login."""

from __future__ import annotations

from django.contrib.auth.signals import user_logged_out
from django.dispatch import receiver
from django.http import HttpRequest

from core import events


@receiver(user_logged_out, dispatch_uid="accounts.signed_out")
def signed_out(request: HttpRequest, **_: object) -> None:
    """The live sockets of its tabs."""
    if request.session.session_key:
        events.end_login(request.session.session_key)
