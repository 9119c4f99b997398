"""How much a disk may do: asked for and told in the same words."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class IoLimits:
    """The most that one disk may read and write, in bytes and in operations per second; 0 is as much as it can."""

    read_bytes_s: int = 0
    write_bytes_s: int = 0
    read_iops: int = 0
    write_iops: int = 0
