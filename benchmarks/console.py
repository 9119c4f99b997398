"""The console proxy beside direct TCP and stock websockify, in one run: `python -m benchmarks.console`.

All three relay between the same screen and the same client over TCP on 127.0.0.1. The screen is an RFB server that
then sends as fast as it can, echoes, or waits; the client is a plain socket, so that none of the three is charged
for a client library. Rounds alternate between the three: a machine that slows down slows all of them.
"""

import socket
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import redis

from benchmarks.report import Spread, Table, finish, pss_kb, say, spread
from console.proxy.settings import SESSION_COOKIE
from tests.console.stage import (
    ORIGIN,
    SESSION,
    VERSION,
    ProxyProcess,
    exactly,
    free_port,
    grant_for,
    issue,
    listens,
    private_redis,
    wait_until,
)

ROUNDS = 11
MEGABYTES = 400
ECHOES = 1500
IDLE = 200
IDLE_STOCK = 40
CONNECTS = 100
STALL_MEGABYTES = 200
KEYSTROKE = b"\x04\x01\x00\x00\x00\x00\xff\x0d"
Opener = Callable[[], socket.socket]


@dataclass(frozen=True)
class Way:
    """One way from the client to the screen; `open` ends where the screen's first own byte would come."""

    name: str
    open: Opener
    framed: bool
    pid: int | None


def upgrade(line: socket.socket, *protocols: str) -> None:
    """A WebSocket handshake (RFC 6455 §4.1) as a browser's page sends it."""
    line.sendall(
        "\r\n".join(
            (
                "GET /console/socket HTTP/1.1",
                "Host: panel.test",
                "Upgrade: websocket",
                "Connection: Upgrade",
                "Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==",
                "Sec-WebSocket-Version: 13",
                f"Sec-WebSocket-Protocol: {', '.join(protocols)}",
                f"Origin: {ORIGIN}",
                f"Cookie: {SESSION_COOKIE}={SESSION}",
                "\r\n",
            )
        ).encode()
    )
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += exactly(line, 1)
    if not head.startswith(b"HTTP/1.1 101 "):
        raise RuntimeError(head.decode())


def framed(data: bytes) -> bytes:
    """A short masked binary frame; a mask of zeros costs the receiver as much as any other."""
    return bytes([0x82, 0x80 | len(data), 0, 0, 0, 0]) + data


def message(line: socket.socket) -> bytes:
    """One unmasked binary message."""
    length = exactly(line, 2)[1]
    if length == 126:
        length = int.from_bytes(exactly(line, 2))
    elif length == 127:
        length = int.from_bytes(exactly(line, 8))
    return exactly(line, length)


def shake_hands(receive: Callable[[int], bytes], send: Callable[[bytes], None]) -> None:
    """A viewer's half of RFB 3.8, up to and including ServerInit with its name of 11 bytes."""
    receive(12)
    send(VERSION)
    receive(2)
    send(b"\x01")
    receive(4)
    send(b"\x01")
    receive(24 + 11)


def dial(port: int) -> socket.socket:
    line = socket.create_connection(("127.0.0.1", port))
    line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return line


def direct(port: int) -> socket.socket:
    line = dial(port)
    shake_hands(lambda count: exactly(line, count), line.sendall)
    return line


def through_stock(port: int) -> socket.socket:
    line = dial(port)
    upgrade(line, "binary")
    _shake_hands_framed(line)
    return line


def through_panel(port: int, screen: int, client: redis.Redis) -> socket.socket:
    line = dial(port)
    upgrade(line, "binary", f"ticket.{issue(client, grant_for(screen, redis_client=client))}")
    _shake_hands_framed(line)
    return line


def _shake_hands_framed(line: socket.socket) -> None:
    buffer = bytearray()

    def receive(count: int) -> bytes:
        while len(buffer) < count:
            buffer.extend(message(line))
        taken = bytes(buffer[:count])
        del buffer[:count]
        return taken

    shake_hands(receive, lambda data: line.sendall(framed(data)))


def throughput(way: Way) -> float:
    """MB/s from the screen to the client."""
    with way.open() as line:
        order = b"S" + struct.pack(">Q", MEGABYTES << 20)
        buffer, received = bytearray(1 << 20), 0
        started = time.perf_counter()
        line.sendall(framed(order) if way.framed else order)
        while received < MEGABYTES << 20:
            received += line.recv_into(buffer)
        return MEGABYTES * 1.048576 / (time.perf_counter() - started)


def round_trip(way: Way) -> float:
    """Microseconds from a key to its echo, the median of one connection."""
    key, answer = (framed(KEYSTROKE), 10) if way.framed else (KEYSTROKE, 8)
    samples = []
    with way.open() as line:
        line.sendall(framed(b"E") if way.framed else b"E")
        for _ in range(ECHOES):
            started = time.perf_counter()
            line.sendall(key)
            exactly(line, answer)
            samples.append((time.perf_counter() - started) * 1e6)
    return spread(samples).median


def idle_kb(way: Way, count: int) -> float:
    """Memory of one idle console in kB, from what the proxy grows by."""
    assert way.pid is not None
    with ExitStack() as lines:
        lines.enter_context(way.open())
        before = pss_kb(way.pid)
        for _ in range(count):
            lines.enter_context(way.open())
        time.sleep(1)
        return (pss_kb(way.pid) - before) / count


def stall_mb(way: Way) -> float:
    """What the proxy grows by, in MB, while a client does not read for four seconds."""
    assert way.pid is not None
    with way.open() as line:
        time.sleep(0.5)
        before = highest = pss_kb(way.pid)
        line.sendall(framed(b"S" + struct.pack(">Q", STALL_MEGABYTES << 20)))
        for _ in range(20):
            time.sleep(0.2)
            highest = max(highest, pss_kb(way.pid))
        return (highest - before) / 1024


def connect_ms(port: int, first_byte: Callable[[socket.socket], None]) -> float:
    """From the first packet with the ticket to the first RFB byte, in milliseconds."""
    started = time.perf_counter()
    with dial(port) as line:
        first_byte(line)
        exactly(line, 1)
        return (time.perf_counter() - started) * 1000


@contextmanager
def running(*command: str, port: int) -> Iterator[int]:
    """A process that listens on `port`, ended afterwards; gives its id."""
    process = subprocess.Popen(
        [sys.executable, *command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        wait_until(lambda: listens(port), seconds=30)
        yield process.pid
    finally:
        process.kill()
        process.wait()


def compare(ways: list[Way], what: Callable[[Way], float]) -> dict[str, list[float]]:
    """Measure in turns; the n-th samples of all ways belong to the same moment."""
    samples: dict[str, list[float]] = {way.name: [] for way in ways}
    for _ in range(ROUNDS):
        for way in ways:
            samples[way.name].append(what(way))
    return samples


def measure(tcp: Way, stock: Way, panel: Way, connects: dict[str, Spread]) -> dict[str, float]:
    """Run all of it, print the table and give the figures; ratios and differences are taken round by round."""
    say(f"{ROUNDS} rounds in turns; {IDLE} idle consoles; median (lowest … highest)\n")
    speeds = compare([tcp, stock, panel], throughput)
    trips = compare([tcp, stock, panel], round_trip)
    idle = {stock.name: idle_kb(stock, IDLE_STOCK), panel.name: idle_kb(panel, IDLE)}
    stalls = {way.name: stall_mb(way) for way in (stock, panel)}
    table = Table(
        "Console", "way", "MB/s down", "round trip µs", "kB per idle console", "stalled MB", "connect ms"
    )
    for way in (tcp, stock, panel):
        name = way.name
        speed, trip = spread(speeds[name]), spread(trips[name])
        table.row(name, speed, trip, idle.get(name, "–"), stalls.get(name, "–"), connects[name])
    table.print()
    ratios = [ours / theirs for ours, theirs in zip(speeds[panel.name], speeds[stock.name], strict=True)]
    over = [ours - theirs for ours, theirs in zip(trips[panel.name], trips[stock.name], strict=True)]
    return {
        "throughput_ratio": spread(ratios).median,
        "rtt_over_stock_us": spread(over).median,
        "pss_per_console_kb": idle[panel.name],
        "stall_mb": stalls[panel.name],
        "connect_ms": connects[panel.name].median,
    }


def time_connects(screen: int, stock: int, panel: int, client: redis.Redis) -> dict[str, Spread]:
    """Connect to all three in turns."""

    def with_ticket(line: socket.socket) -> None:
        upgrade(line, "binary", f"ticket.{ready.pop()}")

    ways: list[tuple[str, int, Callable[[socket.socket], None]]] = [
        ("direct TCP", screen, lambda _: None),
        ("stock websockify", stock, lambda line: upgrade(line, "binary")),
        ("panel", panel, with_ticket),
    ]
    samples: dict[str, list[float]] = {name: [] for name, _, _ in ways}
    ready: list[str] = []
    for _ in range(CONNECTS):
        ready.append(issue(client, grant_for(screen, redis_client=client)))
        for name, port, first_byte in ways:
            samples[name].append(connect_ms(port, first_byte))
    return {name: spread(values) for name, values in samples.items()}


def main() -> None:
    """Set the stage, measure, tear it down."""
    screen, stock, panel = free_port(20000, 23000), free_port(23001, 26000), free_port(26001, 29000)
    with tempfile.TemporaryDirectory() as name, ExitStack() as stage:
        folder = Path(name)
        server = stage.enter_context(private_redis(folder))
        client = stage.enter_context(server.client())
        stage.enter_context(running("-m", "benchmarks.console_screen", str(screen), port=screen))
        stock_pid = stage.enter_context(
            running("-m", "websockify", f"127.0.0.1:{stock}", f"127.0.0.1:{screen}", port=stock)
        )
        proxy = ProxyProcess(folder, server.url, listen=f"127.0.0.1:{panel}")
        try:
            connects = time_connects(screen, stock, panel, client)
            figures = measure(
                Way("direct TCP", lambda: direct(screen), framed=False, pid=None),
                Way("stock websockify", lambda: through_stock(stock), framed=True, pid=stock_pid),
                Way(
                    "panel", lambda: through_panel(panel, screen, client), framed=True, pid=proxy.process.pid
                ),
                connects,
            )
        finally:
            proxy.terminate()
    finish("console", figures)


if __name__ == "__main__":
    main()
