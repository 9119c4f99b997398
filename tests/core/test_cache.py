"""The cache holds data and nothing that runs."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings
from django.core.cache import cache
from redis import Redis

KEY = "test.cache"


@pytest.fixture
def redis() -> Iterator[Redis]:
    with Redis.from_url(settings.REDIS_URL) as client:
        yield client
        cache.delete(KEY)


class Trap:
    """A pickle that makes a file when it is read."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def __reduce__(self) -> tuple[object, ...]:
        return open, (str(self._file), "w")


@pytest.mark.parametrize("value", [None, True, 7, 1.5, "ä", b"\x00\xff{", {"a": [1, None]}])
def test_gives_back_what_was_put_in(value: object, redis: Redis) -> None:
    cache.set(KEY, value, 5)

    assert cache.get(KEY, "nothing") == value


def test_counts(redis: Redis) -> None:
    cache.set(KEY, 1, 5)

    assert cache.incr(KEY) == 2


def test_never_runs_what_somebody_wrote_into_redis(redis: Redis, tmp_path: Path) -> None:
    redis.set(cache.make_key(KEY), pickle.dumps(Trap(tmp_path / "ran")))

    with pytest.raises(ValueError, match="."):
        cache.get(KEY)

    assert not (tmp_path / "ran").exists()
