"""Looking without touching: of a browser's messages only those pass that ask for pixels.

RFC 6143 §7.5, and the registry of message types at https://github.com/rfbproto/rfbproto for what is beyond it.
"""

from collections.abc import Callable

SET_PIXEL_FORMAT = 0
SET_ENCODINGS = 2
UPDATE_REQUEST = 3
CONTINUOUS_UPDATES = 150
FENCE = 248
PASSING = frozenset({SET_PIXEL_FORMAT, SET_ENCODINGS, UPDATE_REQUEST, CONTINUOUS_UPDATES, FENCE})

EXTENDED_BUTTONS = -316
"""A screen that is told this encoding lets pointer messages be 6 or 7 bytes long; it is taken out, so they are 6."""

ENCODINGS = 256
FENCE_BYTES = 64


class BadMessage(Exception):
    """A message that no viewer sends; what follows it cannot be told apart any more."""


class ViewOnly:
    """Takes the browser's byte stream in any portions and gives the part that may pass, in whole messages."""

    def __init__(self) -> None:
        self._held = bytearray()
        self._skipping = 0

    def __call__(self, data: bytes) -> bytes:
        """Raises BadMessage."""
        self._held += data
        passed = bytearray()
        while self._held:
            if self._skipping:
                self._skip()
                continue
            length = _length(self._held)
            if length is None:
                break
            if self._held[0] not in PASSING:
                self._skipping = length
                continue
            if len(self._held) < length:
                break
            passed += _pass(bytes(self._held[:length]))
            del self._held[:length]
        return bytes(passed)

    def _skip(self) -> None:
        """Drop a refused message as it comes, so that a paste of a gigabyte is never held."""
        count = min(self._skipping, len(self._held))
        del self._held[:count]
        self._skipping -= count


def _pass(message: bytes) -> bytes:
    if message[0] != SET_ENCODINGS:
        return message
    words = [message[at : at + 4] for at in range(4, len(message), 4)]
    kept = [word for word in words if int.from_bytes(word, signed=True) != EXTENDED_BUTTONS]
    return message[:2] + len(kept).to_bytes(2) + b"".join(kept)


def _length(held: bytearray) -> int | None:
    """The length of the message at the start of `held`, or None while too little of it is there to tell."""
    kind = held[0]
    if kind in FIXED:
        return FIXED[kind]
    rule = VARIABLE.get(kind)
    if rule is None:
        raise BadMessage(f"message type {kind}")
    head, length = rule
    return length(held) if len(held) >= head else None


def _encodings(held: bytearray) -> int:
    count = int.from_bytes(held[2:4])
    if count > ENCODINGS:
        raise BadMessage(f"{count} encodings")
    return 4 + 4 * count


def _clipboard(held: bytearray) -> int:
    """A negative length marks the extended clipboard message of that many bytes."""
    return 8 + abs(int.from_bytes(held[4:8], signed=True))


def _fence(held: bytearray) -> int:
    if held[8] > FENCE_BYTES:
        raise BadMessage(f"a fence of {held[8]} bytes")
    return 9 + held[8]


def _desktop_size(held: bytearray) -> int:
    return 8 + 16 * held[6]


def _qemu(held: bytearray) -> int:
    """QEMU's own: extended key events (12 bytes), audio on or off (4) and audio format (10)."""
    if held[1] == 0:
        return 12
    if held[1] == 1:
        return 10 if int.from_bytes(held[2:4]) == 2 else 4
    raise BadMessage(f"QEMU message {held[1]}")


FIXED = {SET_PIXEL_FORMAT: 20, UPDATE_REQUEST: 10, 4: 8, 5: 6, CONTINUOUS_UPDATES: 10, 250: 4}
"""Lengths by type; 4 is a key, 5 the pointer, 250 the power button (xvp)."""

VARIABLE: dict[int, tuple[int, Callable[[bytearray], int]]] = {
    SET_ENCODINGS: (4, _encodings),
    6: (8, _clipboard),
    FENCE: (9, _fence),
    251: (8, _desktop_size),
    255: (4, _qemu),
}
"""By type: the bytes needed to know the length, and the rule; 6 is the clipboard, 251 the desktop's size."""
