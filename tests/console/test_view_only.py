"""The filter of view-only consoles, message by message and in any portions."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.proxy.view_only import BadMessage, ViewOnly

PIXEL_FORMAT = bytes(4) + bytes(16)
ENCODINGS = b"\x02\x00\x00\x02" + (0).to_bytes(4) + (-239).to_bytes(4, signed=True)
LOOK = b"\x03\x00" + bytes(8)
CONTINUOUS = b"\x96\x01" + bytes(8)
FENCE = b"\xf8\x00\x00\x00" + bytes(4) + b"\x03abc"
PASSING = [PIXEL_FORMAT, ENCODINGS, LOOK, CONTINUOUS, FENCE]

DROPPED = {
    "key": b"\x04\x01\x00\x00\x00\x00\xff\x0d",
    "pointer": b"\x05\x01\x00\x10\x00\x10",
    "clipboard": b"\x06\x00\x00\x00\x00\x00\x00\x05paste",
    "extended clipboard": b"\x06\x00\x00\x00" + (-8).to_bytes(4, signed=True) + b"\x03" * 8,
    "power button": b"\xfa\x00\x01\x02",
    "desktop size": b"\xfb\x00\x04\x00\x03\x00\x01\x00" + b"\x03" * 16,
    "extended key": b"\xff\x00" + b"\x03" * 10,
    "audio on": b"\xff\x01\x00\x00",
    "audio format": b"\xff\x01\x00\x02" + b"\x03" * 6,
}

messages = st.lists(st.sampled_from([*PASSING, *DROPPED.values()]), max_size=12)


@pytest.mark.parametrize("message", PASSING)
def test_what_asks_for_pixels_passes(message: bytes) -> None:
    assert ViewOnly()(message) == message


@pytest.mark.parametrize("name", DROPPED)
def test_what_touches_the_machine_does_not(name: str) -> None:
    assert ViewOnly()(DROPPED[name] + LOOK) == LOOK


@given(messages=messages, cuts=st.lists(st.integers(0, 200)))
def test_portions_make_no_difference(messages: list[bytes], cuts: list[int]) -> None:
    stream, passing = b"".join(messages), ViewOnly()
    edges = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]

    passed = b"".join(passing(stream[start:end]) for start, end in zip(edges, edges[1:], strict=False))

    assert passed == b"".join(message for message in messages if message in PASSING)


def test_longer_pointer_messages_are_never_agreed_on() -> None:
    offer = b"\x02\x00\x00\x02" + (-316).to_bytes(4, signed=True) + (-239).to_bytes(4, signed=True)

    assert ViewOnly()(offer) == b"\x02\x00\x00\x01" + (-239).to_bytes(4, signed=True)


def test_a_paste_of_gigabytes_is_not_held() -> None:
    passing = ViewOnly()
    passing(b"\x06\x00\x00\x00" + (2**31 - 1).to_bytes(4))

    for _ in range(100):
        assert passing(bytes(1024 * 1024)) == b""

    assert len(passing._held) == 0


@pytest.mark.parametrize(
    "message",
    [b"\x63", b"\x02\x00\xff\xff", b"\xf8\x00\x00\x00" + bytes(4) + b"\xff", b"\xff\x07\x00\x00"],
)
def test_what_no_viewer_sends_is_an_error(message: bytes) -> None:
    with pytest.raises(BadMessage):
        ViewOnly()(message)
