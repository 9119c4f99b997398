"""Sizes and times as people read them."""

from __future__ import annotations

import pytest

from core.units import human_bytes, human_mib, human_since


@pytest.mark.parametrize(
    ("count", "words"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1 KiB"),
        (1536, "1.5 KiB"),
        (5 * 1024**3, "5 GiB"),
        (150 * 1024**3, "150 GiB"),
        (1024**5, "1024 TiB"),
    ],
)
def test_bytes(count: int, words: str) -> None:
    assert human_bytes(count) == words


def test_mib() -> None:
    assert human_mib(2048) == "2 GiB"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (-5, "just now"),
        (0, "just now"),
        (1.99, "just now"),
        (2, "2 s ago"),
        (59.9, "59 s ago"),
        (60, "1 min ago"),
        (3599, "59 min ago"),
        (3600, "1 h ago"),
        (86_400 * 3, "3 d ago"),
    ],
)
def test_since(seconds: float, words: str) -> None:
    assert human_since(seconds) == words
