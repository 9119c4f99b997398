"""Writes a qcow2 image of compressed clusters from a disk's bytes as they come (QEMU, docs/interop/qcow2.txt).

No host can be asked to compress: libvirt converts, and has no word for that.
"""

from __future__ import annotations

import struct
import zlib
from typing import BinaryIO, Final, Self

CLUSTER_BITS: Final = 16
CLUSTER: Final = 1 << CLUSTER_BITS
_SECTOR: Final = 512
_HEADER: Final = struct.Struct(">4sIQIIQIIQQIIQQQQII")
_PER_TABLE: Final = CLUSTER // 8
_PER_BLOCK: Final = CLUSTER // 2
_COPIED: Final = 1 << 63
_COMPRESSED: Final = 1 << 62
# Where the length of a compressed cluster begins in its entry: 62 - (cluster_bits - 8).
_LENGTH_AT: Final = 62 - (CLUSTER_BITS - 8)
# What qcow2 readers are made for: a window of 4 KiB, no header.
_WINDOW: Final = -12
_LEVEL: Final = 1


class CompressedImage:
    """An image of `size_bytes` in `file`, written from its beginning: bytes and holes in turn, then `finish`."""

    def __init__(self, file: BinaryIO, *, size_bytes: int) -> None:
        self._file = file
        self._size = size_bytes
        self._buffer = bytearray()
        self._guest = 0
        self._end = CLUSTER
        self._tables: dict[int, list[int]] = {}
        self._references: dict[int, int] = {0: 1}
        file.seek(0)
        file.truncate()

    def write(self, block: bytes) -> None:
        """More of the disk's bytes."""
        self._buffer += block
        whole = len(self._buffer) - len(self._buffer) % CLUSTER
        for start in range(0, whole, CLUSTER):
            self._put(bytes(self._buffer[start : start + CLUSTER]))
        del self._buffer[:whole]

    def skip(self, length: int) -> None:
        """So many zeros."""
        fill = min(length, -len(self._buffer) % CLUSTER)
        if self._buffer or fill:
            self.write(bytes(fill))
            length -= fill
        whole = length // CLUSTER
        self._guest += whole
        self._buffer += bytes(length - whole * CLUSTER)

    def finish(self) -> Self:
        """Write what tells where everything is."""
        if self._buffer:
            self._put(bytes(self._buffer).ljust(CLUSTER, b"\0"))
            self._buffer.clear()
        tables = max(1, -(-self._size // (CLUSTER * _PER_TABLE)))
        top = [0] * tables
        for number, entries in sorted(self._tables.items()):
            top[number] = self._append(struct.pack(f">{_PER_TABLE}Q", *entries)) | _COPIED
        top_at = self._append(struct.pack(f">{tables}Q", *top))
        counts_at, clusters = self._write_counts()
        header = _HEADER.pack(
            *(b"QFI\xfb", 3, 0, 0, CLUSTER_BITS, self._size, 0, tables, top_at),
            *(counts_at, clusters, 0, 0, 0, 0, 0, 4, _HEADER.size),
        )
        self._file.seek(0)
        self._file.write(header.ljust(CLUSTER, b"\0"))
        self._file.flush()
        return self

    def _put(self, cluster: bytes) -> None:
        number, self._guest = self._guest, self._guest + 1
        if not cluster.strip(b"\0"):
            return
        packer = zlib.compressobj(_LEVEL, zlib.DEFLATED, _WINDOW)
        packed = packer.compress(cluster) + packer.flush()
        entry = self._append_packed(packed) if len(packed) < CLUSTER else self._append(cluster) | _COPIED
        table = self._tables.setdefault(number // _PER_TABLE, [0] * _PER_TABLE)
        table[number % _PER_TABLE] = entry

    def _append(self, content: bytes) -> int:
        """`content` in clusters of its own; where it begins."""
        start = -(-self._end // CLUSTER) * CLUSTER
        self._file.seek(start)
        self._file.write(content.ljust(-(-len(content) // CLUSTER) * CLUSTER, b"\0"))
        self._end = start + -(-len(content) // CLUSTER) * CLUSTER
        self._refer(start, self._end - 1)
        return start

    def _append_packed(self, packed: bytes) -> int:
        """Right behind the last bytes; its entry in the table."""
        start = self._end
        self._file.seek(start)
        self._file.write(packed)
        self._end = start + len(packed)
        self._refer(start, self._end - 1)
        more = (self._end - 1) // _SECTOR - start // _SECTOR
        return _COMPRESSED | more << _LENGTH_AT | start

    def _refer(self, first: int, last: int) -> None:
        for cluster in range(first // CLUSTER, last // CLUSTER + 1):
            self._references[cluster] = self._references.get(cluster, 0) + 1

    def _write_counts(self) -> tuple[int, int]:
        """The reference counts, their own among them: where their table is, and how many clusters it has."""
        begin = -(-self._end // CLUSTER)
        blocks = tables = 1
        while True:
            total = begin + blocks + tables
            needed = -(-total // _PER_BLOCK), -(-blocks // _PER_TABLE)
            if needed == (blocks, tables):
                break
            blocks, tables = needed
        for cluster in range(begin, total):
            self._references[cluster] = 1
        self._file.seek(begin * CLUSTER)
        for block in range(blocks):
            counts = [self._references.get(block * _PER_BLOCK + place, 0) for place in range(_PER_BLOCK)]
            self._file.write(struct.pack(f">{_PER_BLOCK}H", *counts))
        places = [(begin + block) * CLUSTER for block in range(blocks)]
        self._file.write(struct.pack(f">{blocks}Q", *places).ljust(tables * CLUSTER, b"\0"))
        return (begin + blocks) * CLUSTER, tables
