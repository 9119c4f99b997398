"""What a host might say of what its machines have used."""

from __future__ import annotations

from typing import Any

from hypervisor.stats import BlockStats, DomainStats, HostStats, NetStats

SECOND_NS = 1_000_000_000
GIB_KIB = 1024 * 1024


def stats(uuid: str = "x", **different: Any) -> DomainStats:
    """A machine of 1 GiB that has done nothing yet; `different` replaces any of it."""
    facts: dict[str, Any] = {
        "uuid": uuid,
        "cpu_time_ns": 0,
        "memory_kib": GIB_KIB,
        "memory_rss_kib": 0,
        "memory_guest_kib": None,
        "blocks": (),
        "nets": (),
    }
    return DomainStats(**facts | different)


def host_stats(*domains: DomainStats, **different: Any) -> HostStats:
    """A host with these machines that has done nothing yet."""
    facts: dict[str, Any] = {"taken_s": 0.0, "cpu_busy_ns": 0, "cpu_total_ns": 0, "domains": domains}
    return HostStats(**facts | different)


def block(target: str, **different: int) -> BlockStats:
    """A disk that nobody has read or written."""
    counters = {"read_bytes": 0, "read_requests": 0, "write_bytes": 0, "write_requests": 0}
    return BlockStats(target=target, **counters | different)


def net(device: str, **different: int) -> NetStats:
    """A card that nothing went through."""
    return NetStats(device=device, **{"rx_bytes": 0, "tx_bytes": 0} | different)
