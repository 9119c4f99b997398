"""Django on threads: what a request and an answer look like on the way, and that nobody can hold the others up."""

from __future__ import annotations

import http.client
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import uvicorn

from kvmpanel.threads import PIECE_BYTES, OnThreads
from tests.eventually import eventually

AT_ONCE_S = 3.0
"""How long a request may take that waits for nobody, on a busy machine."""
SOON_S = 20.0


class Site:
    """A WSGI application with a page for each thing that may happen, and what became of each request."""

    def __init__(self) -> None:
        self.requests: list[dict[str, Any]] = []
        self.threads: list[int] = []
        self.ended: list[str] = []
        self.held = threading.Event()

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., None]) -> Iterator[bytes]:
        page = environ["PATH_INFO"]
        self.requests.append(environ | {"body": environ["wsgi.input"].read()})
        self.threads.append(threading.get_ident())
        if page == "/broken":
            raise ZeroDivisionError
        if page == "/held":
            self.held.wait(30)
        start_response("200 OK", [("X-Page", "ä"), ("Set-Cookie", " a=1"), ("Set-Cookie", " b=2")])
        return self._blocks(page)

    def _blocks(self, page: str) -> Iterator[bytes]:
        try:
            yield from [bytes([65 + number]) * 4096 for number in range(26)] if page == "/long" else [b"well"]
        finally:
            self.ended.append(page)


@pytest.fixture
def site() -> Site:
    return Site()


@pytest.fixture
def server(site: Site) -> uvicorn.Server:
    """A real one, with four threads for the site."""
    return uvicorn.Server(uvicorn.Config(OnThreads(site, threads=4), lifespan="off", log_config=None))


@pytest.fixture
def port(site: Site, server: uvicorn.Server) -> Iterator[int]:
    """Where it listens, while it runs in a thread of its own."""
    with socket.create_server(("127.0.0.1", 0), backlog=512) as listener:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        yield listener.getsockname()[1]
        site.held.set()
        server.should_exit = True
        thread.join()


def ask(port: int, path: str, *, method: str = "GET", body: bytes | None = None, **headers: str) -> Any:
    """The answer, whole, with its body as `.said`."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request(method, path, body, headers)
    answer: Any = connection.getresponse()
    answer.said = answer.read()
    connection.close()
    return answer


def hang_up_on(port: int, path: str) -> None:
    """Ask and go away."""
    with socket.create_connection(("127.0.0.1", port)) as line:
        line.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())


class TestTheRequest:
    def test_comes_whole(self, site: Site, port: int) -> None:
        body = b"x" * 1_000_000
        ask(
            port, "/caf%C3%A9?q=%20", method="POST", body=body, **{"Content-Type": "text/plain", "X-Tag": "ü"}
        )

        came = site.requests[0]
        assert came["body"] == body
        assert came["CONTENT_LENGTH"] == "1000000"
        assert came["CONTENT_TYPE"] == "text/plain"
        assert came["REQUEST_METHOD"] == "POST"
        assert came["PATH_INFO"].encode("latin-1").decode() == "/café"
        assert came["QUERY_STRING"] == "q=%20"
        assert came["HTTP_X_TAG"] == "ü"
        assert came["REMOTE_ADDR"] == "127.0.0.1"

    def test_has_no_header_with_an_underscore(self, site: Site, port: int) -> None:
        ask(port, "/", X_Forwarded_Proto="https")

        assert "HTTP_X_FORWARDED_PROTO" not in site.requests[0]

    def test_that_broke_off_never_reaches_the_site(self, site: Site, port: int) -> None:
        with socket.create_connection(("127.0.0.1", port)) as line:
            line.sendall(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nhalf")
        ask(port, "/after")

        assert [came["PATH_INFO"] for came in site.requests] == ["/after"]


class TestTheAnswer:
    def test_has_its_headers_each(self, port: int) -> None:
        answer = ask(port, "/")

        assert (answer.status, answer.said) == (200, b"well")
        assert answer.headers["X-Page"] == "ä"
        assert answer.headers.get_all("Set-Cookie") == ["a=1", "b=2"]

    def test_may_be_long(self, site: Site, port: int) -> None:
        answer = ask(port, "/long")

        assert len(answer.said) == 26 * 4096 > PIECE_BYTES
        assert answer.said == b"".join(bytes([65 + number]) * 4096 for number in range(26))
        assert site.ended == ["/long"]

    def test_is_an_error_where_the_site_broke(self, port: int, caplog: pytest.LogCaptureFixture) -> None:
        assert ask(port, "/broken").status == 500
        assert ask(port, "/").status == 200
        assert "ZeroDivisionError" in caplog.text


class TestTheThreads:
    def test_are_few_for_requests_in_turn(self, site: Site, port: int) -> None:
        for _ in range(50):
            ask(port, "/")

        assert len(set(site.threads)) <= 2  # one that just ends may not yet count as free

    def test_serve_others_while_some_wait(self, site: Site, port: int) -> None:
        waiting = [threading.Thread(target=ask, args=(port, "/held")) for _ in range(3)]
        for thread in waiting:
            thread.start()
        eventually(lambda: len(site.requests) == 3, within_s=SOON_S)

        began = time.monotonic()
        assert ask(port, "/").status == 200
        assert time.monotonic() - began < AT_ONCE_S
        site.held.set()
        for thread in waiting:
            thread.join()

    def test_take_in_turn_what_is_too_much(self, site: Site, port: int) -> None:
        asked = [threading.Thread(target=ask, args=(port, "/held")) for _ in range(12)]
        for thread in asked:
            thread.start()
        eventually(lambda: len(site.requests) == 4, within_s=SOON_S)
        site.held.set()
        for thread in asked:
            thread.join()

        assert site.ended == ["/held"] * 12
        assert len(set(site.threads)) == 4

    def test_finish_what_nobody_waits_for(self, site: Site, port: int) -> None:
        for _ in range(3):
            hang_up_on(port, "/held")
        eventually(lambda: len(site.requests) == 3, within_s=SOON_S)

        began = time.monotonic()
        assert ask(port, "/").status == 200
        assert time.monotonic() - began < AT_ONCE_S
        assert site.ended == ["/"]
        site.held.set()
        eventually(lambda: site.ended == ["/", "/held", "/held", "/held"], within_s=SOON_S)

    def test_never_begin_what_was_left_while_it_waited(
        self, site: Site, server: uvicorn.Server, port: int
    ) -> None:
        waiting = [threading.Thread(target=ask, args=(port, "/held")) for _ in range(4)]
        for thread in waiting:
            thread.start()
        eventually(lambda: len(site.requests) == 4, within_s=SOON_S)
        tasks = server.server_state.tasks
        lines = [socket.create_connection(("127.0.0.1", port)) for _ in range(50)]
        for line in lines:
            line.sendall(b"GET /late HTTP/1.1\r\nHost: localhost\r\n\r\n")
        eventually(lambda: len(tasks) == 54, within_s=SOON_S)
        for line in lines:
            line.close()
        eventually(lambda: len(tasks) == 4, within_s=SOON_S)
        site.held.set()
        for thread in waiting:
            thread.join()

        assert ask(port, "/").status == 200
        assert [came["PATH_INFO"] for came in site.requests] == ["/held"] * 4 + ["/"]

    def test_are_all_there_after_a_storm(self, site: Site, port: int) -> None:
        for _ in range(400):
            hang_up_on(port, "/long")
        waiting = [threading.Thread(target=ask, args=(port, "/held")) for _ in range(3)]
        for thread in waiting:
            thread.start()
        eventually(lambda: sum(came["PATH_INFO"] == "/held" for came in site.requests) == 3, within_s=SOON_S)

        began = time.monotonic()
        assert ask(port, "/").status == 200
        assert time.monotonic() - began < AT_ONCE_S
        site.held.set()
        for thread in waiting:
            thread.join()
