"""What a qcow2 image's header says, as `qemu-img info` tells it (QEMU, docs/interop/qcow2.txt)."""

from __future__ import annotations

import struct

HEADER_BYTES = 104
MAGIC = b"QFI\xfb"
# By bit of the header's incompatible and compatible features.
INCOMPATIBLE = {0: "dirty", 1: "corrupt", 2: "data file", 3: "compression type", 4: "extended L2"}
COMPATIBLE = {0: "lazy refcounts"}


def details(header: bytes) -> dict[str, int | str | list[str]]:
    """`compat`, `cluster_bytes`, `snapshots`, `refcount_bits` and `features`; empty for what is no qcow2 header."""
    if len(header) < HEADER_BYTES or not header.startswith(MAGIC):
        return {}
    version, cluster_bits = struct.unpack_from(">I", header, 4)[0], struct.unpack_from(">I", header, 20)[0]
    found: dict[str, int | str | list[str]] = {
        "compat": "1.1" if version >= 3 else "0.10",
        # QEMU itself takes 9 to 21; anybody may have written this header.
        "cluster_bytes": 1 << min(cluster_bits, 21),
        "snapshots": struct.unpack_from(">I", header, 60)[0],
        "refcount_bits": 16,
        "features": [],
    }
    if version >= 3:
        incompatible, compatible = struct.unpack_from(">QQ", header, 72)
        found["refcount_bits"] = 1 << min(struct.unpack_from(">I", header, 96)[0], 6)
        found["features"] = _names(incompatible, INCOMPATIBLE) + _names(compatible, COMPATIBLE)
    return found


def _names(bits: int, names: dict[int, str]) -> list[str]:
    return [name for bit, name in names.items() if bits >> bit & 1]
