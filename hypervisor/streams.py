"""Bytes to and from a host through libvirt's streams."""

import contextlib
from collections.abc import Callable, Iterator
from typing import BinaryIO, Final, cast

import libvirt

from hypervisor.errors import HypervisorError, Invalid

# What fits into one message of libvirt's protocol (VIR_NET_MESSAGE_LEGACY_PAYLOAD_MAX); larger ones are cut anyway.
_CHUNK_BYTES: Final = 262_120
# What libvirt answers in place of bytes where a hole begins.
_AT_HOLE: Final = -3


@contextlib.contextmanager
def opened(connection: libvirt.virConnect) -> Iterator[libvirt.virStream]:
    """A new stream: finished after the body, aborted if the body fails."""
    stream = connection.newStream(0)
    try:
        yield stream
    except BaseException:
        with contextlib.suppress(libvirt.libvirtError):
            stream.abort()
        raise
    stream.finish()


def send(
    stream: libvirt.virStream, source: BinaryIO, *, size_bytes: int, progress: Callable[[int], None] | None
) -> None:
    """Send exactly `size_bytes`; raises `Invalid` if `source` ends early. `progress` gets the bytes sent so far."""
    sent = 0
    while sent < size_bytes:
        chunk = memoryview(source.read(min(_CHUNK_BYTES, size_bytes - sent)))
        if not chunk:
            raise Invalid(f"The source ended after {sent} of {size_bytes} bytes.")
        while chunk:
            written = stream.send(bytes(chunk))
            sent, chunk = sent + written, chunk[written:]
        if progress is not None:
            progress(sent)


def receive(stream: libvirt.virStream, sink: BinaryIO, *, limit_bytes: int | None = None) -> int:
    """Take all that comes and return how many bytes it was; raises `HypervisorError` above the limit."""
    received = 0
    while chunk := stream.recv(_CHUNK_BYTES):
        received += len(chunk)
        if limit_bytes is not None and received > limit_bytes:
            raise HypervisorError(f"The host sent more than {limit_bytes} bytes.")
        sink.write(chunk)
    return received


def receive_sparse(
    stream: libvirt.virStream,
    write: Callable[[bytes], None],
    skip: Callable[[int], None],
    *,
    progress: Callable[[int], None] | None,
) -> None:
    """Hand all that comes out of a sparse stream to `write`, and the lengths of its holes to `skip`."""
    moved = 0
    while (chunk := stream.recvFlags(_CHUNK_BYTES, libvirt.VIR_STREAM_RECV_STOP_AT_HOLE)) != b"":
        if chunk == _AT_HOLE:
            length = stream.recvHole()
            skip(length)
            moved += length
        else:
            content = cast(bytes, chunk)
            write(content)
            moved += len(content)
        if progress is not None:
            progress(moved)


def pump(
    source: libvirt.virStream, sink: libvirt.virStream, *, progress: Callable[[int], None] | None
) -> None:
    """Send all that comes out of one sparse stream into another; holes stay holes, and count for `progress`."""
    moved = 0
    while (chunk := source.recvFlags(_CHUNK_BYTES, libvirt.VIR_STREAM_RECV_STOP_AT_HOLE)) != b"":
        if chunk == _AT_HOLE:
            length = source.recvHole()
            sink.sendHole(length)
            moved += length
        else:
            rest = memoryview(cast(bytes, chunk))
            moved += len(rest)
            while rest:
                rest = rest[sink.send(bytes(rest)) :]
        if progress is not None:
            progress(moved)
