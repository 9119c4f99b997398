"""How a process and the child that talks to one host for it speak to each other: frames of JSON, typed by the reader.

The child parses what a host says, so its bytes are as hostile as the host. Nothing in a frame says what it becomes:
the reader knows which type it asked for, and makes that or raises `Nonsense`. (Pickle would let the child choose.)
"""

import json
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from datetime import datetime
from enum import Enum
from functools import cache
from types import NoneType, UnionType
from typing import Any, Final, TypeVar, Union, cast, get_args, get_origin, get_type_hints
from uuid import UUID

LENGTH_BYTES: Final = 4
# Ten thousand machines with ten devices each take 30 MiB.
LARGEST_FRAME: Final = 64 * 1024 * 1024

Value = TypeVar("Value")
Decoder = Callable[[Any], Any]


class Nonsense(ValueError):
    """The other side sent something that is not what was asked for."""


def pack(message: list[Any]) -> bytes:
    """One frame; dataclasses, UUIDs, enumerations and times in it may stand at any depth."""
    body = json.dumps(_plain(message), separators=(",", ":")).encode()
    return len(body).to_bytes(LENGTH_BYTES, "big") + body


class Unpacker:
    """Cuts a stream of bytes into messages."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[list[Any]]:
        """The messages that are complete now. Raises `Nonsense`."""
        self._buffer += data
        messages = []
        while len(self._buffer) >= LENGTH_BYTES:
            end = LENGTH_BYTES + int.from_bytes(self._buffer[:LENGTH_BYTES], "big")
            if end > LENGTH_BYTES + LARGEST_FRAME:
                raise Nonsense("a frame that is too large")
            if len(self._buffer) < end:
                break
            messages.append(_parsed(bytes(self._buffer[LENGTH_BYTES:end])))
            del self._buffer[:end]
        return messages


def load(kind: type[Value], data: object) -> Value:
    """`data`, out of a message, as a `kind`: a class, or list[...], dict[...], tuple[...], `X | None` of such.

    Raises `Nonsense`.
    """
    try:
        return cast("Value", _decoder(cast("Any", kind))(data))
    except (ValueError, TypeError, OverflowError) as error:
        raise Nonsense(f"not a {kind}") from error


def _parsed(body: bytes) -> list[Any]:
    try:
        message = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Nonsense("a frame that is not JSON") from error
    if not isinstance(message, list):
        raise Nonsense("a message that is not a list")
    return message


def _plain(value: Any) -> Any:
    """As JSON has it; a dataclass becomes the list of its fields' values."""
    if value is None or type(value) in (str, int, float, bool):
        return value
    if is_dataclass(value):
        return [_plain(getattr(value, field.name)) for field in fields(value)]
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if isinstance(value, dict):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, datetime):
        return value.isoformat()
    return str(value)


@cache
def _decoder(kind: Any) -> Decoder:
    origin, arguments = get_origin(kind), get_args(kind)
    if kind in (str, int, bool, NoneType):
        return _exactly(kind)
    if kind is float:
        return _number
    if is_dataclass(kind):
        return _dataclass_decoder(kind)
    if origin in (Union, UnionType) and NoneType in arguments:
        (inner,) = (_decoder(one) for one in arguments if one is not NoneType)
        return lambda data: None if data is None else inner(data)
    if origin in (list, tuple, dict):
        return _collection_decoder(origin, arguments)
    if kind is datetime:
        return lambda data: datetime.fromisoformat(_is(str, data))
    if kind is UUID or (isinstance(kind, type) and issubclass(kind, Enum)):
        return lambda data: kind(_is(str, data))
    raise TypeError(f"{kind} does not travel")


def _exactly(kind: type) -> Decoder:
    def decode(data: Any) -> Any:
        if type(data) is not kind:
            raise Nonsense(f"not a {kind}")
        return data

    return decode


def _number(data: Any) -> float:
    if type(data) not in (int, float):
        raise Nonsense("not a number")
    return float(data)


def _dataclass_decoder(kind: Any) -> Decoder:
    hints = get_type_hints(kind)
    parts = [(field.name, _decoder(hints[field.name])) for field in fields(kind)]

    def decode(data: Any) -> Any:
        if type(data) is not list or len(data) != len(parts):
            raise Nonsense(f"not a {kind}")
        return kind(**{name: part(one) for (name, part), one in zip(parts, data, strict=True)})

    return decode


def _collection_decoder(origin: Any, arguments: tuple[Any, ...]) -> Decoder:
    if origin is dict:
        key, value = map(_decoder, arguments)
        return lambda data: {key(name): value(one) for name, one in _is(dict, data).items()}
    if origin is tuple and arguments[-1] is not Ellipsis:
        decoders = [_decoder(one) for one in arguments]
        return lambda data: tuple(decode(one) for decode, one in zip(decoders, _is(list, data), strict=True))
    inner = _decoder(arguments[0])
    return lambda data: origin(inner(one) for one in _is(list, data))


def _is(kind: type, data: Any) -> Any:
    if type(data) is not kind:
        raise Nonsense(f"not a {kind}")
    return data
