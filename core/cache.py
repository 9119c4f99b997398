"""How values lie in the cache: as data, never as pickles, which would run whatever who reaches Redis wrote."""

from __future__ import annotations

import json
from typing import Any, Final

# No JSON text begins with it (RFC 8259 §2).
_BYTES: Final = b"\0"


class PlainSerializer:
    """For Django's Redis cache: what JSON can carry, and bytes."""

    def dumps(self, value: Any) -> bytes:
        """Raises TypeError for anything else. An integer stays one that Redis can count with."""
        return _BYTES + value if isinstance(value, bytes) else json.dumps(value).encode()

    def loads(self, data: bytes) -> Any:
        """Raises ValueError for what `dumps` did not write."""
        return data[1:] if data.startswith(_BYTES) else json.loads(data)
