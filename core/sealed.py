"""Text that is encrypted at rest, for private keys and the like.

Encrypted with Fernet (https://github.com/fernet/spec) under the keys of the secrets file `sealing_keys`, one to a
line: the first seals, all of them open, so a key is changed by putting a new one on top.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.db import models


class Unsealable(Exception):
    """None of the sealing keys opens this: the secrets folder is not the one it was sealed with."""


class SealedTextField(models.TextField):  # type: ignore[type-arg]
    """A TextField whose column holds a Fernet token; "" stays "". It can't be searched or ordered by."""

    def get_prep_value(self, value: Any) -> Any:
        """Seal on the way to the database."""
        text = super().get_prep_value(value)
        return _box().encrypt(text.encode()).decode() if text else text

    def from_db_value(self, value: str | None, *_: Any) -> str | None:
        """Open on the way from it. Raises Unsealable."""
        if not value:
            return value
        try:
            return _box().decrypt(value.encode()).decode()
        except InvalidToken as error:
            raise Unsealable(
                "The file sealing_keys in the panel's secrets folder is not the right one."
            ) from error


@cache
def _box() -> MultiFernet:
    return MultiFernet([Fernet(key) for key in settings.SEALING_KEYS])
