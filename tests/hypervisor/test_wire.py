"""Between a process and the child that talks to a host: everything gets through whole, and nothing else does."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hypervisor.events import DomainEvent, DomainEventKind
from hypervisor.facts import DomainFacts, HostFacts, LeaseFacts, PoolFacts, VolumeFacts
from hypervisor.stats import HostStats
from hypervisor.wire import LARGEST_FRAME, Nonsense, Unpacker, load, pack


@dataclass(frozen=True)
class Pair:
    number: int
    text: str | None


def through(kind: Any, value: object) -> object:
    """What arrives of it."""
    (message,) = Unpacker().feed(pack([value]))
    return load(kind, message[0])


# Deferred, for to find out what they consist of takes a second, and every run of any test would spend it.
FACTS = st.deferred(
    lambda: st.one_of(
        *(st.from_type(kind) for kind in (DomainFacts, HostFacts, PoolFacts, VolumeFacts, HostStats))
    )
)


class TestRoundTrip:
    @given(FACTS)
    def test_facts_arrive_as_they_were(self, value: Any) -> None:
        assert repr(through(type(value), value)) == repr(value)  # not a number is not equal to itself

    def test_events_and_times_do_too(self) -> None:
        event = DomainEvent(uuid=uuid4(), name="web1", kind=DomainEventKind.STARTED, detail="booted")
        lease = LeaseFacts(mac="m", ip="i", hostname="h", expires_at=datetime(2026, 1, 1, tzinfo=UTC))

        assert through(DomainEvent, event) == event
        assert through(LeaseFacts, lease) == lease

    @pytest.mark.parametrize(
        ("kind", "value"),
        [
            (list[Pair], [Pair(1, "a"), Pair(2, None)]),
            (dict[str, float], {"a": 1.5, "b": 2.0}),
            (tuple[int, str], (1, "a")),
            (tuple[UUID, ...], (uuid4(), uuid4())),
            (int | None, None),
            (bool, True),
        ],
    )
    def test_collections_do_too(self, kind: Any, value: object) -> None:
        assert through(kind, value) == value


class TestFrames:
    def test_messages_may_come_in_any_pieces(self) -> None:
        stream = pack(["a", 1]) + pack(["b", 2])
        unpacker = Unpacker()

        got = [message for byte in stream for message in unpacker.feed(bytes([byte]))]

        assert got == [["a", 1], ["b", 2]]

    @pytest.mark.parametrize(
        "frame",
        [
            (LARGEST_FRAME + 1).to_bytes(4, "big"),
            b"\0\0\0\1{",
            b"\0\0\0\2{}",
            b"\0\0\0\2\xff\xfe",
            len(b"[" * 100_000).to_bytes(4, "big") + b"[" * 100_000,
        ],
    )
    def test_what_is_no_message_is_refused(self, frame: bytes) -> None:
        with pytest.raises(Nonsense):
            Unpacker().feed(frame)


class TestRefusal:
    @pytest.mark.parametrize(
        ("kind", "data"),
        [
            (int, "1"),
            (int, True),
            (int, 1.5),
            (str, 1),
            (str, None),
            (float, "nan"),
            (bool, 0),
            (UUID, "x"),
            (UUID, ["x"]),
            (datetime, "yesterday"),
            (DomainEventKind, "boom"),
            (Pair, [1]),
            (Pair, [1, "a", 2]),
            (Pair, {"number": 1, "text": "a"}),
            (list[int], "12"),
            (list[int], {"1": 2}),
            (tuple[int, str], [1]),
            (dict[str, int], [["a", 1]]),
        ],
    )
    def test_what_was_not_asked_for_is_refused(self, kind: Any, data: object) -> None:
        with pytest.raises(Nonsense):
            load(kind, data)

    @given(st.recursive(st.none() | st.integers() | st.text(), lambda inner: st.lists(inner)))
    def test_no_data_makes_anything_but_the_type_that_was_asked_for(self, data: object) -> None:
        try:
            found = load(list[Pair], json.loads(json.dumps(data)))
        except Nonsense:
            return
        assert all(type(one) is Pair for one in found)
