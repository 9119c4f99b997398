"""A running panel: what answers, what a second `up` says, what comes back by itself."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from tests.eventually import eventually
from tests.launcher.conftest import Panel

HANDSHAKE = {
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",  # the example of RFC 6455 §1.3
}


class TestFrontDoor:
    def test_shows_the_sign_in_page_over_tls(self, panel: Panel) -> None:
        status, headers, _ = panel.get("/")
        assert status == 302

        status, _, page = panel.get(headers["location"])

        assert status == 200
        assert "<form" in page

    def test_refuses_a_name_that_is_not_its_own(self, panel: Panel) -> None:
        status, _, _ = panel.get("/", host="panel.example.org")

        assert status == 400

    def test_lets_browsers_keep_files_whose_name_has_a_hash(self, panel: Panel) -> None:
        static = panel.state / "static"
        file = next(static.rglob("tabler.min.*.css"))

        status, headers, _ = panel.get(f"/static/{file.relative_to(static)}")

        assert status == 200
        assert headers["content-type"] == "text/css"
        assert "immutable" in headers["cache-control"]

    @pytest.mark.parametrize("path", ["/healthz", "/uploads/", "/live/more"])
    def test_lets_nothing_but_the_two_sockets_leave_http(self, panel: Panel, path: str) -> None:
        status, _, _ = panel.get(path, headers=HANDSHAKE | {"Origin": f"https://localhost:{panel.port}"})

        assert status in (200, 302, 412)  # what plain HTTP gets there

    def test_lets_nobody_try_passwords_without_end(self, panel: Panel) -> None:
        answers = [panel.get("/account/sign-in", method="POST")[0] for _ in range(40)]

        assert answers[:20] == [403] * 20  # no CSRF token
        assert 429 in answers[20:]
        assert panel.get("/account/sign-in")[0] == 200

    def test_keeps_query_strings_out_of_the_log(self, panel: Panel) -> None:
        panel.get("/healthz?secret=canary-of-the-log")
        panel.get("/healthz")

        log = panel.run("logs", "nginx").stdout

        assert "/healthz" in log
        assert "canary-of-the-log" not in log


class TestSupervision:
    def test_a_killed_part_comes_back_and_says_starting_meanwhile(self, panel: Panel) -> None:
        before = panel.pid("web")

        os.kill(before, signal.SIGKILL)
        status, headers, page = panel.get("/")
        eventually(lambda: panel.pid("web") not in (0, before), within_s=30)

        assert status == 502
        assert "The panel is starting" in page
        assert headers["cache-control"] == "no-store"
        eventually(lambda: panel.get("/healthz")[0] == 200, within_s=30)

    def test_redis_listens_on_its_socket_alone_and_keeps_the_password_to_itself(self, panel: Panel) -> None:
        password = (panel.state / "secrets" / "redis_password").read_text()

        assert (panel.state / "run" / "redis.sock").stat().st_mode & 0o777 == 0o600
        assert not [command for command in panel.processes() if password in command]
        assert (panel.state / "run" / "redis.conf").stat().st_mode & 0o777 == 0o600


class TestAgain:
    def test_a_second_up_tells_where_the_first_one_runs(self, panel: Panel) -> None:
        before = panel.pid("web")

        said = panel.up()

        assert "The panel runs already: https://" in said
        assert f":{panel.port}/" in said
        assert panel.pid("web") == before

    def test_a_taken_port_is_named_with_its_owner(self, panel: Panel, state: Path) -> None:
        finished = Panel(state, panel.port).run("up", "--no-hypervisor")

        assert finished.returncode == 1
        assert f"Port {panel.port} is taken by nginx" in finished.stderr
        assert "--port" in finished.stderr


class TestStatus:
    def test_names_every_part_and_the_address(self, panel: Panel) -> None:
        finished = panel.run("status")

        for part in ("redis", "web", "worker", "beat", "watcher", "console", "nginx", "supervisor"):
            assert f"\n{part} " in finished.stdout
        assert f"https://localhost:{panel.port}/" in finished.stdout
        assert finished.returncode == 0
