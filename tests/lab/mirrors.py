"""Many hosts that are images of one: for questions of scale, where a real libvirtd and QEMU for each would be too much.

A mirror is a socket that leads to the libvirtd of a real host. What is said there is real: the same machines, and what
they use. Only UUIDs are others on the way through, in both directions: the host's, and those of all that is on it. So
each mirror is a host of its own, with machines of its own.

libvirt's own `test` driver would be simpler, but tells of no CPU time, no UUID of its host and no free memory.
"""

from __future__ import annotations

import asyncio
import re
import struct
import subprocess
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Final, Self
from uuid import UUID, uuid5

from tests.lab.namespace import LabError, wait_until

_REPOSITORY: Final = Path(__file__).resolve().parents[2]
# A message is its length, six words and a body (https://libvirt.org/kbase/internals/rpc.html).
HEADER: Final = struct.Struct("!IIIiIii")
_LONGEST: Final = 32 * 1024 * 1024
REMOTE: Final = 0x20008086
CALL, REPLY = 0, 1
OK: Final = 0
# virConnectGetAllDomainStats asks each QEMU: what was answered to one mirror is good for the others for a while.
_STATS: Final = 344
_STATS_KEPT_S: Final = 4.0


class Mirrors:
    """`count` sockets in `folder`, each an image of the host at `socket`, on which there is what `uuids` say.

    A context manager. The images are made by a process of their own, which ends with its owner.
    """

    def __init__(self, folder: Path, *, socket: Path, uuids: Iterable[UUID], count: int) -> None:
        self._folder = folder
        self._command = [str(folder), str(count), str(socket), *map(str, uuids)]
        self._process: subprocess.Popen[bytes] | None = None
        self.sockets = [_socket(folder, number) for number in range(count)]

    def __enter__(self) -> Self:
        self._folder.mkdir(parents=True, exist_ok=True)
        program = [
            "setpriv",
            "--pdeathsig",
            "KILL",
            sys.executable,
            "-m",
            "tests.lab.mirrors",
            *self._command,
        ]
        self._process = process = subprocess.Popen(program, cwd=_REPOSITORY, stdin=subprocess.DEVNULL)
        wait_until(lambda: self.sockets[-1].exists() or process.poll() is not None, "the mirrors")
        if process.poll() is not None:
            raise LabError("There are no mirrors.")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait(timeout=30)


class _Names:
    """The UUIDs of one mirror, and the real ones."""

    def __init__(self, number: int, uuids: list[UUID]) -> None:
        self._mirrored: dict[bytes, bytes] = {}
        for real in uuids:
            image = uuid5(real, str(number))
            self._mirrored |= {real.bytes: image.bytes, str(real).encode(): str(image).encode()}
        self._real = {image: real for real, image in self._mirrored.items()}
        self._of_real, self._of_image = _any_of(self._mirrored), _any_of(self._real)

    def mirrored(self, message: bytes) -> bytes:
        return self._of_real.sub(lambda found: self._mirrored[found[0]], message)

    def real(self, message: bytes) -> bytes:
        return self._of_image.sub(lambda found: self._real[found[0]], message)


@dataclass
class _Answers:
    """What the host said of its machines' use, and when, by the body of the question."""

    known: dict[bytes, tuple[float, bytes]] = field(default_factory=dict)

    def fresh(self, question: bytes) -> bytes | None:
        at, body = self.known.get(question, (0.0, b""))
        return body if at and time.monotonic() - at < _STATS_KEPT_S else None


class _Call:
    """One client of one mirror, and its connection to the real host."""

    def __init__(self, names: _Names, answers: _Answers) -> None:
        self._names = names
        self._answers = answers
        self._asked: dict[int, bytes] = {}

    async def questions(
        self, client: asyncio.StreamReader, host: asyncio.StreamWriter, back: asyncio.StreamWriter
    ) -> None:
        while message := await read_message(client):
            _, program, version, procedure, kind, serial, _ = HEADER.unpack_from(message)
            body = message[HEADER.size :]
            if (program, procedure, kind) == (REMOTE, _STATS, CALL):
                if known := self._answers.fresh(body):
                    header = HEADER.pack(
                        HEADER.size + len(known), program, version, procedure, REPLY, serial, OK
                    )
                    back.write(header + self._names.mirrored(known))
                    continue
                self._asked[serial] = body
            host.write(self._names.real(message))
            await host.drain()

    async def answers(self, host: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
        while message := await read_message(host):
            *_, kind, serial, status = HEADER.unpack_from(message)
            if kind == REPLY and (question := self._asked.pop(serial, None)) and status == OK:
                self._answers.known[question] = time.monotonic(), message[HEADER.size :]
            client.write(self._names.mirrored(message))
            await client.drain()


async def serve(folder: Path, count: int, socket: str, uuids: list[UUID]) -> None:
    """All mirrors, for ever."""
    answers = _Answers()
    servers = []
    for number in range(count):
        relay = partial(_relay, socket=socket, names=_Names(number, uuids), answers=answers)
        servers.append(await asyncio.start_unix_server(relay, _socket(folder, number)))
    await asyncio.gather(*(server.serve_forever() for server in servers))


async def _relay(
    client: asyncio.StreamReader,
    back: asyncio.StreamWriter,
    *,
    socket: str,
    names: _Names,
    answers: _Answers,
) -> None:
    """Between one client and the host, until one of them hangs up."""
    host, there = await asyncio.open_unix_connection(socket)
    call = _Call(names, answers)
    ways = [
        asyncio.ensure_future(call.questions(client, there, back)),
        asyncio.ensure_future(call.answers(host, back)),
    ]
    try:
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for way in ways:
            way.cancel()
        await asyncio.gather(*ways, return_exceptions=True)
        there.close()
        back.close()


async def read_message(reader: asyncio.StreamReader) -> bytes:
    """The next one; blank at the end."""
    try:
        length = await reader.readexactly(4)
        size = int.from_bytes(length)
        if not HEADER.size <= size <= _LONGEST:
            return b""
        return length + await reader.readexactly(size - 4)
    except (asyncio.IncompleteReadError, ConnectionError):
        return b""


def _any_of(names: Iterable[bytes]) -> re.Pattern[bytes]:
    return re.compile(b"|".join(map(re.escape, names)))


def _socket(folder: Path, number: int) -> Path:
    return folder / f"{number}.sock"


if __name__ == "__main__":
    place, many, upstream, *known = sys.argv[1:]
    asyncio.run(serve(Path(place), int(many), upstream, [UUID(uuid) for uuid in known]))
