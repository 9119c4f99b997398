"""The overview draws itself anew when something on it changed; the pushes only say so."""

from accounts.models import User
from core.live import fragment


def _changed(user: User, key: str) -> str:
    return ""


for _event in ("hosts", "domains", "storage", "networks", "operations"):
    fragment(f"overview-{_event}", event=_event)(_changed)
