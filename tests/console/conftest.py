"""A Redis for the whole room, and for each test a proxy, a client and a way in."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import redis
from websockets.sync.client import ClientConnection

from console.proxy.settings import Settings
from tests.console.stage import ORIGIN, PrivateRedis, RunningProxy, grant_for, issue, knock, private_redis

Enter = Callable[..., ClientConnection]


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrivateRedis]:
    with private_redis(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture
def redis_client(redis_server: PrivateRedis) -> Iterator[redis.Redis]:
    with redis_server.client() as client:
        client.flushdb()
        yield client


@pytest.fixture
def proxy_settings(tmp_path: Path, redis_server: PrivateRedis) -> Settings:
    return Settings(
        listen=tmp_path / "console.sock",
        tunnels=tmp_path,
        origins=frozenset({ORIGIN}),
        redis_url=redis_server.url,
        per_person=3,
        parting_seconds=0.5,
    )


@pytest.fixture
def proxy(proxy_settings: Settings, redis_client: redis.Redis) -> Iterator[RunningProxy]:
    with RunningProxy(proxy_settings) as running:
        yield running


@pytest.fixture
def enter(redis_client: redis.Redis, proxy_settings: Settings) -> Iterator[Enter]:
    """Issue a ticket for a screen's port and go to the proxy with it; keywords are `grant_for`'s."""
    with ExitStack() as lines:

        def enter(port: int, **about: Any) -> ClientConnection:
            assert isinstance(proxy_settings.listen, Path)
            grant = grant_for(port, redis_client=redis_client, **about)
            return lines.enter_context(knock(proxy_settings.listen, issue(redis_client, grant)))

        yield enter
