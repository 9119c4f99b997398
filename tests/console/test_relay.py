"""Open consoles: what passes, what is too much, and what ends them."""

import contextlib
import socket
import struct
import time
from pathlib import Path
from uuid import uuid4

import pytest
import redis
from websockets.exceptions import ConnectionClosed

from benchmarks.report import pss_kb
from console import tickets
from console.closing import Closing
from console.proxy.settings import Settings
from tests.console.conftest import Enter
from tests.console.stage import (
    ORIGIN,
    PrivateRedis,
    ProxyProcess,
    RunningProxy,
    Screen,
    Viewer,
    closing_of,
    grant_for,
    issue,
    knock,
    private_redis,
    wait_until,
    with_times,
)

KEY = b"\x04\x01\x00\x00\x00\x00\xff\x0d"
LOOK = b"\x03\x00\x00\x00\x00\x00\x02\x80\x01\xe0"


def told(closing: Closing) -> tuple[int, str]:
    return closing.code, closing.reason


@pytest.mark.usefixtures("proxy")
class TestBytes:
    def test_pass_in_both_directions_unchanged(self, enter: Enter) -> None:
        pixels = bytes(range(256)) * 20_000
        with Screen() as screen:
            viewer = Viewer(enter(screen.port)).shake_hands()

            screen.send(pixels)
            for at in range(0, 3000, 7):
                viewer.line.send(pixels[at : at + 7])

            assert viewer.read(len(pixels)) == pixels
            wait_until(
                lambda: screen.received == pixels[: len(screen.received)] and len(screen.received) > 2999
            )

    def test_of_a_viewer_only_ask_for_pixels(self, enter: Enter) -> None:
        with Screen() as screen:
            viewer = Viewer(enter(screen.port, mode=tickets.Mode.VIEW_ONLY)).shake_hands()

            viewer.line.send(KEY + LOOK[:3])
            viewer.line.send(LOOK[3:] + KEY)
            viewer.line.send(LOOK)

            wait_until(lambda: len(screen.received) >= 2 * len(LOOK))
            assert screen.received == LOOK + LOOK

    def test_of_a_viewer_that_mean_nothing_end_the_console(self, enter: Enter) -> None:
        with Screen() as screen:
            viewer = Viewer(enter(screen.port, mode=tickets.Mode.VIEW_ONLY)).shake_hands()

            viewer.line.send(b"\x63whatever")

            assert closing_of(viewer.line) == told(Closing.BAD_CLIENT)


@pytest.mark.usefixtures("proxy")
class TestFrames:
    def test_of_a_mebibyte_pass(self, enter: Enter) -> None:
        with Screen() as screen:
            viewer = Viewer(enter(screen.port)).shake_hands()

            viewer.line.send(bytes(1024 * 1024))

            wait_until(lambda: len(screen.received) == 1024 * 1024)

    def test_beyond_a_mebibyte_end_the_console(self, enter: Enter) -> None:
        with Screen() as screen:
            viewer = Viewer(enter(screen.port)).shake_hands()

            with contextlib.suppress(ConnectionClosed):
                viewer.line.send(bytes(1024 * 1024 + 1))

            assert closing_of(viewer.line) == told(Closing.BAD_CLIENT)

    def test_may_not_add_up_to_more_either(self, enter: Enter) -> None:
        with Screen() as screen:
            viewer = Viewer(enter(screen.port)).shake_hands()

            with contextlib.suppress(ConnectionClosed):
                viewer.line.send([bytes(600_000), bytes(600_000)])

            assert closing_of(viewer.line) == told(Closing.BAD_CLIENT)

    def test_that_only_claim_a_length_are_not_waited_for(self, enter: Enter) -> None:
        with Screen() as screen:
            viewer = Viewer(enter(screen.port)).shake_hands()

            viewer.line.socket.sendall(b"\x82\xff" + struct.pack(">Q", 1 << 40) + bytes(4))

            assert closing_of(viewer.line) == told(Closing.BAD_CLIENT)

    def test_of_text_are_refused(self, enter: Enter) -> None:
        with Screen() as screen:
            viewer = Viewer(enter(screen.port)).shake_hands()

            viewer.line.send("hello")

            assert closing_of(viewer.line)[0] == 1003


class TestBackPressure:
    def test_a_browser_that_stops_reading_costs_no_memory(
        self, tmp_path: Path, redis_server: PrivateRedis, redis_client: redis.Redis
    ) -> None:
        proxy = ProxyProcess(tmp_path, redis_server.url)

        def pour(screen: Screen, peer: socket.socket) -> None:
            screen.shake_hands(peer)
            for _ in range(100):
                peer.sendall(bytes(1024 * 1024))

        with Screen(pour) as screen:
            ticket = issue(redis_client, grant_for(screen.port, redis_client=redis_client))
            with knock(proxy.socket, ticket) as line:
                viewer = Viewer(line).shake_hands()
                before = pss_kb(proxy.process.pid)
                time.sleep(1)
                grown = pss_kb(proxy.process.pid) - before

                assert grown < 5 * 1024
                assert viewer.read(1_000_000) == bytes(1_000_000)
        assert proxy.terminate() == 0

    @pytest.mark.usefixtures("proxy")
    def test_a_screen_that_stops_reading_holds_the_browser_back(self, enter: Enter) -> None:
        slept = []

        def sleepy(screen: Screen, peer: socket.socket) -> None:
            screen.shake_hands(peer)
            time.sleep(0.5)
            slept.append(True)
            screen.received += b"".join(iter(lambda: peer.recv(65536), b""))

        with Screen(sleepy) as screen:
            line = Viewer(enter(screen.port)).shake_hands().line
            for _ in range(24):
                line.send(bytes(1_000_000))

            assert slept, "24 MB fit into buffers"
            line.close()
            wait_until(lambda: len(screen.received) == 24_000_000)


@pytest.mark.usefixtures("proxy")
class TestRightTakenBack:
    def test_ends_the_console_at_once(self, enter: Enter, redis_client: redis.Redis) -> None:
        uuid = uuid4()
        with Screen() as screen:
            stopped = Viewer(enter(screen.port, domain_uuid=uuid)).shake_hands()
            other = Viewer(enter(screen.port)).shake_hands()

            started = time.monotonic()
            tickets.close(redis_client, domain_uuid=uuid, why=Closing.STOPPED)

            assert closing_of(stopped.line) == told(Closing.STOPPED)
            assert time.monotonic() - started < 1
            other.line.send(KEY)
            wait_until(lambda: screen.received == KEY)

    def test_ends_every_console_of_a_login(self, enter: Enter, redis_client: redis.Redis) -> None:
        with Screen() as screen:
            lines = [Viewer(enter(screen.port)).shake_hands().line for _ in range(2)]

            tickets.close(
                redis_client, session_hash=tickets.session_hash("the-session-of-ann"), why=Closing.SIGNED_OUT
            )

            assert [closing_of(line) for line in lines] == [told(Closing.SIGNED_OUT)] * 2


class TestRedisGone:
    def test_open_consoles_live_on_and_obey_again_after_a_restart(self, tmp_path: Path) -> None:
        uuid = uuid4()
        with private_redis(tmp_path) as server, server.client() as client, Screen() as screen:
            proxy_settings = Settings(
                listen=tmp_path / "console.sock",
                tunnels=tmp_path,
                origins=frozenset({ORIGIN}),
                redis_url=server.url,
            )
            with RunningProxy(proxy_settings):
                assert isinstance(proxy_settings.listen, Path)
                ticket = issue(client, grant_for(screen.port, redis_client=client, domain_uuid=uuid))
                with knock(proxy_settings.listen, ticket) as line:
                    Viewer(line).shake_hands()

                    server.kill()
                    line.send(KEY)
                    wait_until(lambda: screen.received == KEY)
                    with knock(proxy_settings.listen, "x" * 43) as another:
                        assert closing_of(another) == told(Closing.UNAVAILABLE)

                    server.start()
                    # Taken back before the proxy listens again: it must look, not only listen.
                    tickets.close(client, domain_uuid=uuid, why=Closing.STOPPED)
                    assert closing_of(line) == told(Closing.STOPPED)


class TestSilence:
    def test_of_a_dead_browser_ends_the_console(
        self, proxy_settings: Settings, redis_client: redis.Redis
    ) -> None:
        hurried = with_times(proxy_settings, handshake=5, ping=0.1, dead=0.5)
        with RunningProxy(hurried), Screen() as screen, socket.socket(socket.AF_UNIX) as line:
            ticket = issue(redis_client, grant_for(screen.port, redis_client=redis_client))
            assert isinstance(proxy_settings.listen, Path)
            with knock(proxy_settings.listen, ticket) as talking:
                Viewer(talking).shake_hands()
                dead = issue(redis_client, grant_for(screen.port, redis_client=redis_client))
                line.connect(str(proxy_settings.listen))
                shake_hands_and_fall_silent(line, dead)

                assert close_code_in(line) == Closing.IDLE.code
                talking.send(KEY)
                wait_until(lambda: screen.received == KEY)


class TestProcess:
    def test_sends_everybody_off_before_it_ends(
        self, tmp_path: Path, redis_server: PrivateRedis, redis_client: redis.Redis
    ) -> None:
        proxy = ProxyProcess(tmp_path, redis_server.url)
        with Screen() as screen:
            grant = grant_for(screen.port, redis_client=redis_client)
            ticket = issue(redis_client, grant)
            with knock(proxy.socket, ticket) as line:
                Viewer(line).shake_hands()

                proxy.process.terminate()

                assert closing_of(line) == (1012, "restarting")
        assert proxy.process.wait(timeout=20) == 0
        log = proxy.log.read_text()
        assert str(grant.domain_uuid) in log
        assert ticket not in log

    def test_keeps_passwords_and_tickets_out_of_its_log(
        self, tmp_path: Path, redis_server: PrivateRedis, redis_client: redis.Redis
    ) -> None:
        proxy = ProxyProcess(tmp_path, redis_server.url)
        with Screen() as screen:
            grant = grant_for(screen.port, redis_client=redis_client, password="s3cret")
            ticket = issue(redis_client, grant)
            for _ in range(2):
                with knock(proxy.socket, ticket) as line:
                    closing_of(line)
        assert proxy.terminate() == 0
        log = proxy.log.read_text()
        assert "wrong_machine" in log
        assert "ticket_refused" in log
        assert not [word for word in (ticket, "s3cret", "the-session-of-ann") if word in log]


def shake_hands_and_fall_silent(line: socket.socket, ticket: str) -> None:
    """A browser that dies right after the handshake: it answers no ping any more."""
    head = (
        "GET /console/socket HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\nSec-WebSocket-Version: 13\r\n"
        f"Sec-WebSocket-Protocol: binary, ticket.{ticket}\r\nOrigin: {ORIGIN}\r\n"
        "Cookie: __Host-panel-session=the-session-of-ann\r\n\r\n"
    )
    line.sendall(head.encode())
    while not line.recv(4096).endswith(b"\r\n\r\n"):
        pass
    for answer in (b"RFB 003.008\n", b"\x01", b"\x01"):
        line.sendall(bytes([0x82, 0x80 | len(answer), 0, 0, 0, 0]) + answer)
        time.sleep(0.05)


def close_code_in(line: socket.socket) -> int:
    """The close code at the end of whatever comes."""
    line.settimeout(5)
    data = b"".join(iter(lambda: line.recv(4096), b""))
    _, _, close = data.rpartition(b"\x88\x06")
    return int.from_bytes(close[:2])
