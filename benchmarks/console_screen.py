"""The screen of the console benchmark: an RFB server that sends, echoes or waits as its visitor orders.

`python -m benchmarks.console_screen PORT`. After the handshake the visitor sends one letter: `S` and a length of
eight bytes (send that much, at once), or `E` (send back whatever comes).
"""

import contextlib
import socket
import struct
import sys
import threading

from tests.console.stage import NONE_OFFERED, VERSION, exactly, server_init

BLOCK = bytes(1024 * 1024)


def play(line: socket.socket) -> None:
    """Serve one visitor."""
    line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with line, contextlib.suppress(OSError):
        line.sendall(VERSION)
        exactly(line, 12)
        line.sendall(NONE_OFFERED)
        exactly(line, 1)
        line.sendall(bytes(4))
        exactly(line, 1)
        line.sendall(server_init(b"QEMU (web1)"))
        order = exactly(line, 1)
        if order == b"S":
            (left,) = struct.unpack(">Q", exactly(line, 8))
            while left > 0:
                line.sendall(BLOCK)
                left -= len(BLOCK)
        while data := line.recv(65536):
            line.sendall(data)


def main() -> None:
    """Serve for ever."""
    threading.stack_size(256 * 1024)
    with socket.create_server(("127.0.0.1", int(sys.argv[1])), backlog=512) as listener:
        while True:
            line, _ = listener.accept()
            threading.Thread(target=play, args=(line,), daemon=True).start()


if __name__ == "__main__":
    main()
