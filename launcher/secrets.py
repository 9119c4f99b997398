"""Secrets: one file each, readable by the owner alone, made once and never written again."""

import base64
import os
import secrets
from collections.abc import Callable
from pathlib import Path

MAKERS: dict[str, Callable[[], str]] = {
    "django_secret_key": lambda: secrets.token_urlsafe(64),
    "redis_password": lambda: secrets.token_urlsafe(48),
    # What core.sealed encrypts with: a Fernet key.
    "sealing_keys": lambda: base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
}


def ensure(folder: Path) -> None:
    """Make the secrets that aren't there yet."""
    for name, make in MAKERS.items():
        if not (folder / name).exists():
            write_private(folder / name, make())


def write_private(path: Path, text: str) -> None:
    """Put `text` at `path`, mode 0600, in one step: no reader ever sees half of it or another mode."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(descriptor)
    draft.replace(path)
