"""A ticket serves once, soon, and only the login it was made for; a right taken back stays taken back."""

import time
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import cast
from uuid import uuid4

import pytest
import redis
from redis.asyncio import Redis as AsyncRedis

from console import tickets
from console.closing import Closing
from tests.console.stage import PrivateRedis, grant_for, issue

ANN = tickets.session_hash("the-session-of-ann")
BOB = tickets.session_hash("the-session-of-bob")


@pytest.fixture
async def proxy_redis(redis_server: PrivateRedis) -> AsyncIterator[AsyncRedis]:
    async with AsyncRedis.from_url(redis_server.url, socket_timeout=5) as client:
        yield client


class TestRedeem:
    async def test_gives_the_grant_back_whole(
        self, redis_client: redis.Redis, proxy_redis: AsyncRedis
    ) -> None:
        grant = grant_for(5901, redis_client=redis_client, password="s3cret", mode=tickets.Mode.VIEW_ONLY)

        ticket = issue(redis_client, grant)

        assert await tickets.redeem(proxy_redis, ticket, ANN) == grant

    async def test_serves_once(self, redis_client: redis.Redis, proxy_redis: AsyncRedis) -> None:
        ticket = issue(redis_client, grant_for(5901, redis_client=redis_client))
        await tickets.redeem(proxy_redis, ticket, ANN)

        assert await tickets.redeem(proxy_redis, ticket, ANN) is None

    async def test_comes_too_late(self, redis_client: redis.Redis, proxy_redis: AsyncRedis) -> None:
        ticket = issue(redis_client, grant_for(5901, redis_client=redis_client), seconds=0.02)

        time.sleep(0.05)

        assert await tickets.redeem(proxy_redis, ticket, ANN) is None

    async def test_is_used_up_by_a_stranger_s_attempt(
        self, redis_client: redis.Redis, proxy_redis: AsyncRedis
    ) -> None:
        ticket = issue(redis_client, grant_for(5901, redis_client=redis_client))

        assert await tickets.redeem(proxy_redis, ticket, BOB) is None
        assert await tickets.redeem(proxy_redis, ticket, ANN) is None

    async def test_is_refused_after_the_right_was_taken_back(
        self, redis_client: redis.Redis, proxy_redis: AsyncRedis
    ) -> None:
        ticket = issue(redis_client, grant_for(5901, redis_client=redis_client))

        tickets.close(redis_client, session_hash=ANN, why=Closing.SIGNED_OUT)

        assert await tickets.redeem(proxy_redis, ticket, ANN) is None

    async def test_is_accepted_if_the_right_was_given_again(
        self, redis_client: redis.Redis, proxy_redis: AsyncRedis
    ) -> None:
        uuid = uuid4()
        tickets.close(redis_client, domain_uuid=uuid, why=Closing.STOPPED)

        ticket = issue(redis_client, grant_for(5901, redis_client=redis_client, domain_uuid=uuid))

        assert await tickets.redeem(proxy_redis, ticket, ANN) is not None


class TestWhatIsStored:
    def test_neither_the_ticket_nor_the_session_is_in_redis(self, redis_client: redis.Redis) -> None:
        ticket = issue(redis_client, grant_for(5901, redis_client=redis_client))

        (key,) = redis_client.keys("*")
        content = cast("bytes", key) + cast("bytes", redis_client.get(key))

        assert ticket.encode() not in content
        assert b"the-session-of-ann" not in content
        assert 0 < redis_client.ttl(key) <= tickets.TICKET_SECONDS

    def test_a_grant_without_a_proof_of_the_screen_is_refused(self, redis_client: redis.Redis) -> None:
        with pytest.raises(ValueError, match="password or a desktop name"):
            grant_for(5901, redis_client=redis_client, desktop_name=None)

    @pytest.mark.parametrize("name", ["redis.sock", "../redis.sock", "/run/x", "t1-5900/../redis.sock", "t1"])
    def test_a_grant_leads_to_no_other_socket_of_the_panel_s(
        self, redis_client: redis.Redis, name: str
    ) -> None:
        grant = replace(grant_for(5901, redis_client=redis_client), host="", port=0, tunnel="t12-5901")
        with pytest.raises(ValueError, match="what a tunnel is called"):
            tickets.Grant.load(grant.dump().replace("t12-5901", name))


class TestClose:
    async def test_reaches_one_person_at_one_machine_only(
        self, redis_client: redis.Redis, proxy_redis: AsyncRedis
    ) -> None:
        web, mail = uuid4(), uuid4()
        hers = grant_for(5901, redis_client=redis_client, domain_uuid=web, user_id=7)
        others = [
            grant_for(5901, redis_client=redis_client, domain_uuid=web, user_id=8),
            grant_for(5902, redis_client=redis_client, domain_uuid=mail, user_id=7),
        ]

        tickets.close(redis_client, domain_uuid=web, user_id=7, why=Closing.RIGHTS_CHANGED)

        assert await tickets.revoked(proxy_redis, [hers, *others]) == [(hers, Closing.RIGHTS_CHANGED)]

    def test_wants_to_know_what(self, redis_client: redis.Redis) -> None:
        with pytest.raises(ValueError, match="name a domain"):
            tickets.close(redis_client, why=Closing.STOPPED)

    def test_takes_only_reasons_from_outside_the_proxy(self, redis_client: redis.Redis) -> None:
        with pytest.raises(ValueError, match="IDLE"):
            tickets.close(redis_client, user_id=7, why=Closing.IDLE)


class TestWatching:
    async def test_names_who_is_there_until_they_leave(
        self, redis_client: redis.Redis, proxy_redis: AsyncRedis
    ) -> None:
        uuid = uuid4()
        grant = grant_for(5901, redis_client=redis_client, domain_uuid=uuid)

        await tickets.watch(proxy_redis, [("1", grant)])
        assert tickets.watching(redis_client, uuid) == [
            tickets.Watcher(console="1", user_id=7, mode=tickets.Mode.FULL)
        ]

        await tickets.unwatch(proxy_redis, "1", grant)
        assert tickets.watching(redis_client, uuid) == []
