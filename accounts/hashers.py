"""How passwords are hashed: Argon2id as Django sets it up, a few at a time."""

from __future__ import annotations

from threading import BoundedSemaphore
from typing import Final

from django.contrib.auth.hashers import Argon2PasswordHasher

AT_ONCE: Final = 2
_turns = BoundedSemaphore(AT_ONCE)


class Argon2InTurn(Argon2PasswordHasher):
    """Each hash takes 100 MiB, and strangers may ask for as many as they like at the sign-in page; the others wait."""

    def encode(self, password: str, salt: str) -> str:
        """As Django's."""
        with _turns:
            return super().encode(password, salt)

    def verify(self, password: str, encoded: str) -> bool:
        """As Django's."""
        with _turns:
            return super().verify(password, encoded)
