"""Screens that are right, wrong, hostile or silent, and what the browser is told about each."""

import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from console.closing import Closing
from console.proxy.settings import Settings
from tests.console.conftest import Enter
from tests.console.stage import (
    NONE_OFFERED,
    PASSWORD_OFFERED,
    VERSION,
    QemuScreen,
    RunningProxy,
    Screen,
    Viewer,
    closing_of,
    exactly,
    free_port,
    server_init,
    with_times,
)

Script = Callable[[Screen, socket.socket], None]


@pytest.fixture
def proxy_settings(proxy_settings: Settings) -> Settings:
    """Nobody waits ten seconds for a silent screen here."""
    return with_times(proxy_settings, handshake=1, ping=20, dead=60)


def told(closing: Closing) -> tuple[int, str]:
    return closing.code, closing.reason


def says(*parts: bytes) -> Script:
    """A screen that sends its parts, each after an answer of at least one byte, and then stays silent."""

    def script(_: Screen, peer: socket.socket) -> None:
        for part in parts:
            peer.sendall(part)
            peer.recv(4096)
        time.sleep(5)

    return script


def breaks_off(_: Screen, peer: socket.socket) -> None:
    peer.sendall(VERSION[:5])
    peer.close()


def refuses_password(_: Screen, peer: socket.socket) -> None:
    peer.sendall(VERSION)
    exactly(peer, 12)
    peer.sendall(PASSWORD_OFFERED)
    exactly(peer, 1)
    peer.sendall(bytes(16))
    exactly(peer, 16)
    peer.sendall((1).to_bytes(4) + (0xFFFFFFFF).to_bytes(4))


@pytest.mark.usefixtures("proxy")
class TestHostileScreen:
    @pytest.mark.parametrize(
        ("script", "closing"),
        [
            pytest.param(says(b"RFB 003.003\n"), Closing.BAD_SCREEN, id="an old version"),
            pytest.param(says(b"SSH-2.0-OpenSSH_9.2\r\n"), Closing.BAD_SCREEN, id="no screen at all"),
            pytest.param(says(), Closing.BAD_SCREEN, id="silent from the start"),
            pytest.param(says(VERSION), Closing.BAD_SCREEN, id="silent after its version"),
            pytest.param(breaks_off, Closing.BAD_SCREEN, id="breaks off"),
            pytest.param(
                says(VERSION, b"\x00" + (0xFFFFFFFF).to_bytes(4)), Closing.BAD_SCREEN, id="refuses everybody"
            ),
            pytest.param(
                says(VERSION, NONE_OFFERED, bytes(4), server_init(b"", claimed=0xFFFFFFFF)),
                Closing.BAD_SCREEN,
                id="a name of four gigabytes",
            ),
            pytest.param(
                says(VERSION, NONE_OFFERED, bytes(4) + server_init(b"QEMU (web2)")),
                Closing.WRONG_MACHINE,
                id="another machine's name",
            ),
            pytest.param(
                says(VERSION, PASSWORD_OFFERED), Closing.WRONG_MACHINE, id="a password nobody gave us"
            ),
        ],
    )
    def test_never_reaches_the_browser(self, enter: Enter, script: Script, closing: Closing) -> None:
        with Screen(script) as screen:
            assert closing_of(enter(screen.port)) == told(closing)

    @pytest.mark.parametrize("script", [Screen.well_behaved, refuses_password])
    def test_is_not_ours_if_it_does_not_take_the_password(self, enter: Enter, script: Script) -> None:
        with Screen(script) as screen:
            line = enter(screen.port, password="s3cret")

            assert closing_of(line) == told(Closing.WRONG_MACHINE)

    def test_is_off(self, enter: Enter) -> None:
        assert closing_of(enter(free_port(30000, 32000))) == told(Closing.MACHINE_OFF)


@pytest.fixture
def qemu(tmp_path: Path) -> Iterator[Callable[..., QemuScreen]]:
    running: list[QemuScreen] = []

    def start(**about: str | None) -> QemuScreen:
        running.append(QemuScreen(tmp_path, **about))  # type: ignore[arg-type]
        return running[-1]

    yield start
    for screen in running:
        screen.stop()


@pytest.mark.usefixtures("proxy")
class TestQemu:
    def test_opens_with_the_password_that_the_browser_never_sees(
        self, enter: Enter, qemu: Callable[..., QemuScreen]
    ) -> None:
        screen = qemu(name="web1", password="s3cret")

        viewer = Viewer(enter(screen.port, password="s3cret")).shake_hands()
        viewer.line.send(bytes([3, 0, 0, 0, 0, 0, 0, 8, 0, 8]))

        assert viewer.name == b"QEMU (web1)"
        assert viewer.read(1) == b"\x00", "a framebuffer update"

    def test_refuses_a_wrong_password(self, enter: Enter, qemu: Callable[..., QemuScreen]) -> None:
        screen = qemu(name="web1", password="s3cret")

        assert closing_of(enter(screen.port, password="guess")) == told(Closing.WRONG_MACHINE)

    def test_without_a_password_is_known_by_its_name(
        self, enter: Enter, qemu: Callable[..., QemuScreen]
    ) -> None:
        screen = qemu(name="web1", password=None)

        assert Viewer(enter(screen.port)).shake_hands().name == b"QEMU (web1)"
        stranger = enter(screen.port, desktop_name="QEMU (mail)")
        assert closing_of(stranger) == told(Closing.WRONG_MACHINE)

    def test_stops_while_its_console_is_open(self, enter: Enter, qemu: Callable[..., QemuScreen]) -> None:
        screen = qemu(name="web1", password=None)
        viewer = Viewer(enter(screen.port)).shake_hands()

        screen.stop()

        assert closing_of(viewer.line) == told(Closing.SCREEN_GONE)
        assert closing_of(enter(screen.port)) == told(Closing.MACHINE_OFF)


class TestSilentBrowser:
    def test_is_dropped_during_the_handshake(self, proxy: RunningProxy) -> None:
        with socket.socket(socket.AF_UNIX) as line:
            line.connect(str(proxy.settings.listen))
            line.settimeout(5)

            assert line.recv(100) == b""
