"""The browser's own machine is quiet, whatever happens on this one."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.lab.browser import chromium
from tests.lab.claims import claim, remove_link
from tests.lab.namespace import run

SCRIPTS = 20
PAGE = "".join(f'<script src="/{number}.js"></script>' for number in range(SCRIPTS))


class Restless(BaseHTTPRequestHandler):
    """Answers while an interface of this machine gets an address, and goes."""

    interface = ""
    one_at_a_time = threading.Lock()

    def do_GET(self) -> None:
        with self.one_at_a_time:
            run(["ip", "link", "add", self.interface, "type", "bridge"])
            run(["ip", "address", "add", "10.216.1.1/24", "dev", self.interface])
            run(["ip", "link", "set", self.interface, "up"])
            remove_link(self.interface)
        is_script = self.path.endswith(".js")
        self.send_response(200)
        self.send_header("Content-Type", "text/javascript" if is_script else "text/html")
        self.end_headers()
        self.wfile.write(b"window.ran = (window.ran ?? 0) + 1;" if is_script else PAGE.encode())

    def log_message(self, format: str, *args: object) -> None:
        """Nobody reads it."""


@pytest.fixture
def site() -> Iterator[int]:
    """The port of a site on a machine where interfaces come and go."""
    number, lock = claim("restless", lambda number: remove_link(f"kvmrest{number}"))
    Restless.interface = f"kvmrest{number}"
    server = ThreadingHTTPServer(("", 0), Restless)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.server_address[1]
    server.shutdown()
    thread.join()
    server.server_close()
    lock.close()


def test_loads_pages_whole_while_interfaces_come_and_go(site: int, tmp_path: Path) -> None:
    with chromium(tmp_path) as browser:
        page = browser.new_page()
        page.goto(f"http://localhost:{site}/")

        assert page.evaluate("window.ran") == SCRIPTS
