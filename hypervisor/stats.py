"""What a host and its domains have used so far: counters, from two of which a rate comes.

Counters begin anew when a domain starts, and vanish with the device they belong to. All are a host's claims.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockStats:
    """One disk or drive since its domain started: bytes and requests."""

    target: str
    read_bytes: int
    read_requests: int
    write_bytes: int
    write_requests: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NetStats:
    """One network card since its tap `device` was made: bytes as the guest sees them, received and sent."""

    device: str
    rx_bytes: int
    tx_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DomainStats:
    """One domain that is on.

    `cpu_time_ns` counts all of its QEMU process. `memory_kib` is what the guest has, `memory_rss_kib` what the process
    holds on the host. `memory_guest_kib` is what the guest says it uses, caches not counted, None from one that says
    nothing: it needs a balloon driver.
    """

    uuid: str
    cpu_time_ns: int
    memory_kib: int
    memory_rss_kib: int
    memory_guest_kib: int | None
    blocks: tuple[BlockStats, ...]
    nets: tuple[NetStats, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class HostStats:
    """A host and all of its domains that are on, at one moment.

    `taken_s` is this machine's monotonic clock when the answer was here. `cpu_busy_ns` and `cpu_total_ns` are sums over
    all CPUs since the host started, both 0 where the host does not say; waiting for a disk is not being busy.
    """

    taken_s: float
    cpu_busy_ns: int
    cpu_total_ns: int
    domains: tuple[DomainStats, ...]
