"""Pages that show what machines use hear that there is something newer, and ask for what they show."""

from __future__ import annotations

from accounts.models import User
from core.live import fragment


@fragment("usage")
def changed(user: User, key: str) -> str | None:
    """Only tells; what a person may see is decided where it is asked for."""
    return "" if key == "all" else None
