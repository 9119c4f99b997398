"""Who gets in at the console proxy, and what the others are told."""

import socket
import time
from pathlib import Path

import pytest
import redis
from websockets.exceptions import InvalidStatus

from console.closing import Closing
from console.proxy.settings import SESSION_COOKIE, Settings
from tests.console.conftest import Enter
from tests.console.stage import (
    SESSION,
    RunningProxy,
    Screen,
    Viewer,
    closing_of,
    grant_for,
    issue,
    knock,
    wait_until,
)


def told(closing: Closing) -> tuple[int, str]:
    return closing.code, closing.reason


@pytest.mark.usefixtures("proxy")
class TestOrigin:
    @pytest.mark.parametrize(
        "origin",
        [
            None,
            "https://evil.test",
            "https://panel.test",
            "http://panel.test:8443",
            "https://panel.test:8443.evil.test",
            "null",
        ],
    )
    def test_must_be_ours_exactly(
        self, proxy_settings: Settings, redis_client: redis.Redis, origin: str | None
    ) -> None:
        assert isinstance(proxy_settings.listen, Path)
        with Screen() as screen:
            ticket = issue(redis_client, grant_for(screen.port, redis_client=redis_client))

            with pytest.raises(InvalidStatus) as refusal, knock(proxy_settings.listen, ticket, origin=origin):
                pass

        assert refusal.value.response.status_code == 403


@pytest.mark.usefixtures("proxy")
class TestTicket:
    def test_opens_the_screen(self, enter: Enter) -> None:
        with Screen() as screen:
            viewer = Viewer(enter(screen.port)).shake_hands()

            assert viewer.name == b"QEMU (web1)"
            assert viewer.line.subprotocol == "binary"

    def test_serves_once(self, proxy_settings: Settings, redis_client: redis.Redis) -> None:
        assert isinstance(proxy_settings.listen, Path)
        with Screen() as screen:
            ticket = issue(redis_client, grant_for(screen.port, redis_client=redis_client))
            with knock(proxy_settings.listen, ticket) as first:
                Viewer(first).shake_hands()

                with knock(proxy_settings.listen, ticket) as second:
                    assert closing_of(second) == told(Closing.TICKET_REFUSED)

    def test_comes_late(self, proxy_settings: Settings, redis_client: redis.Redis) -> None:
        assert isinstance(proxy_settings.listen, Path)
        grant = grant_for(5901, redis_client=redis_client)
        ticket = issue(redis_client, grant, seconds=0.02)
        time.sleep(0.05)

        with knock(proxy_settings.listen, ticket) as line:
            assert closing_of(line) == told(Closing.TICKET_REFUSED)

    @pytest.mark.parametrize("session", ["the-session-of-bob", None])
    def test_belongs_to_another_login(
        self, proxy_settings: Settings, redis_client: redis.Redis, session: str | None
    ) -> None:
        assert isinstance(proxy_settings.listen, Path)
        ticket = issue(redis_client, grant_for(5901, redis_client=redis_client))

        with knock(proxy_settings.listen, ticket, session=session) as line:
            assert closing_of(line) == told(Closing.TICKET_REFUSED)

    def test_opens_the_screen_beside_cookies_that_other_ports_set(
        self, proxy_settings: Settings, redis_client: redis.Redis
    ) -> None:
        assert isinstance(proxy_settings.listen, Path)
        with Screen() as screen:
            ticket = issue(redis_client, grant_for(screen.port, redis_client=redis_client))
            cookies = f'theirs={{"a": 1}}; b; {SESSION_COOKIE}={SESSION}; c=d'

            with knock(proxy_settings.listen, ticket, session=None, cookies=cookies) as line:
                assert Viewer(line).shake_hands().name == b"QEMU (web1)"

    def test_is_missing(self, proxy_settings: Settings) -> None:
        assert isinstance(proxy_settings.listen, Path)
        with knock(proxy_settings.listen, None) as line:
            assert closing_of(line) == told(Closing.TICKET_REFUSED)


@pytest.mark.usefixtures("proxy")
class TestCap:
    def test_counts_per_person(self, enter: Enter) -> None:
        with Screen() as screen:
            for _ in range(3):
                Viewer(enter(screen.port)).shake_hands()

            assert closing_of(enter(screen.port)) == told(Closing.TOO_MANY)
            assert Viewer(enter(screen.port, user_id=8)).shake_hands().name == b"QEMU (web1)"

    def test_who_has_a_screen_is_told_of_at_once(self, enter: Enter, redis_client: redis.Redis) -> None:
        """Its page asks who else is there as soon as it has the screen."""
        with Screen() as screen:
            for _ in range(3):
                Viewer(enter(screen.port)).shake_hands()
                assert len(redis_client.keys("console:watching:*")) == 1
                redis_client.flushdb()

    def test_frees_a_place_when_one_leaves(self, enter: Enter, redis_client: redis.Redis) -> None:
        with Screen() as screen:
            first, *_ = [Viewer(enter(screen.port)).shake_hands() for _ in range(3)]

            first.line.close()
            wait_until(lambda: len(redis_client.keys("console:watching:*")) == 2)

            assert Viewer(enter(screen.port)).shake_hands().name == b"QEMU (web1)"


class TestRawRequests:
    """What is not a browser gets an answer in HTTP or none, and never a WebSocket."""

    @pytest.mark.parametrize(
        ("request_head", "answer"),
        [
            (b"POST /console/socket HTTP/1.1\r\n\r\n", b"HTTP/1.1 400 "),
            (b"GET /console/socket HTTP/1.1\r\nOrigin: https://panel.test:8443\r\n\r\n", b"HTTP/1.1 400 "),
            (b"GET / HTTP/1.1\r\nA: " + b"x" * 20_000, b"HTTP/1.1 431 "),
            (b"\x16\x03\x01\r\n\r\n", b"HTTP/1.1 400 "),
            (b"GET / HTTP/1.1\r\n\r\nearly", b"HTTP/1.1 400 "),
        ],
    )
    def test_are_refused(self, proxy: RunningProxy, request_head: bytes, answer: bytes) -> None:
        with socket.socket(socket.AF_UNIX) as line:
            line.connect(str(proxy.settings.listen))
            line.sendall(request_head)

            assert line.recv(100).startswith(answer)
