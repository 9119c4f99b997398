"""What was used in between two samples. Pure arithmetic over what a host claims: any number may come in."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from hypervisor.stats import BlockStats, DomainStats, HostStats, NetStats

# Closer samples say more of the clock's grain than of the machine.
SHORTEST_S = 0.5
NS_PER_S = 1_000_000_000
KIB_PER_MIB = 1024
# More than any counter grows within seconds; over SHORTEST_S a column still holds it.
LARGEST = 2**60


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """One machine's use between two samples.

    `cpu_percent` is of its own vCPUs, `host_cpu_percent` of all its host's CPUs, both 0 to 100. `memory_mib` is what
    the guest says it uses, or where it says nothing what it holds on its host; `memory_percent` is of what it has.
    Bytes and requests are per second, over all its disks or cards.
    """

    cpu_percent: float
    host_cpu_percent: float
    memory_mib: int
    memory_percent: float
    read_bytes: int
    read_requests: int
    write_bytes: int
    write_requests: int
    rx_bytes: int
    tx_bytes: int
    cpu_time_s: float


def domain_rates(
    before: DomainStats, now: DomainStats, *, elapsed_s: float, vcpus: int, host_cpus: int
) -> Rates | None:
    """The use between the two; None where the machine was restarted in between, or too little time went by.

    A disk or card counts that is in both samples and whose counters did not go back: others came or were renewed.
    """
    spent_ns = now.cpu_time_ns - before.cpu_time_ns
    if elapsed_s < SHORTEST_S or spent_ns < 0:
        return None
    blocks, nets = list(_blocks(before, now)), list(_nets(before, now))
    used_kib = now.memory_rss_kib if now.memory_guest_kib is None else now.memory_guest_kib
    used_kib = _within(used_kib, now.memory_kib)

    def per_second(counts: Iterable[int]) -> int:
        return round(_within(sum(counts), LARGEST) / elapsed_s)

    return Rates(
        cpu_percent=_share(spent_ns, vcpus * elapsed_s * NS_PER_S),
        host_cpu_percent=_share(spent_ns, host_cpus * elapsed_s * NS_PER_S),
        memory_mib=_within(used_kib // KIB_PER_MIB, 2**31 - 1),
        memory_percent=_share(used_kib, now.memory_kib),
        read_bytes=per_second(b.read_bytes for b in blocks),
        read_requests=per_second(b.read_requests for b in blocks),
        write_bytes=per_second(b.write_bytes for b in blocks),
        write_requests=per_second(b.write_requests for b in blocks),
        rx_bytes=per_second(n.rx_bytes for n in nets),
        tx_bytes=per_second(n.tx_bytes for n in nets),
        cpu_time_s=_within(now.cpu_time_ns, LARGEST) / NS_PER_S,
    )


def host_cpu_percent(before: HostStats, now: HostStats) -> float | None:
    """How much of all CPUs was busy, 0 to 100; None where the host does not say, or was restarted in between."""
    total, busy = now.cpu_total_ns - before.cpu_total_ns, now.cpu_busy_ns - before.cpu_busy_ns
    return _share(busy, total) if total > 0 and busy >= 0 else None


def _blocks(before: DomainStats, now: DomainStats) -> Iterable[BlockStats]:
    known = {block.target: block for block in before.blocks}
    for block in now.blocks:
        old = known.get(block.target)
        if old is None:
            continue
        difference = BlockStats(
            target=block.target,
            read_bytes=block.read_bytes - old.read_bytes,
            read_requests=block.read_requests - old.read_requests,
            write_bytes=block.write_bytes - old.write_bytes,
            write_requests=block.write_requests - old.write_requests,
        )
        if min(difference.read_bytes, difference.write_bytes) >= 0:
            yield difference


def _nets(before: DomainStats, now: DomainStats) -> Iterable[NetStats]:
    known = {net.device: net for net in before.nets}
    for net in now.nets:
        old = known.get(net.device)
        if old is None:
            continue
        difference = NetStats(
            device=net.device,
            rx_bytes=net.rx_bytes - old.rx_bytes,
            tx_bytes=net.tx_bytes - old.tx_bytes,
        )
        if min(difference.rx_bytes, difference.tx_bytes) >= 0:
            yield difference


def _share(part: int, whole: float) -> float:
    """In percent, 0 to 100; what is more than the whole counts as all of it."""
    if whole <= 0:
        return 0.0
    return 100.0 if part >= whole else 100 * max(part, 0) / whole


def _within(number: int, most: int) -> int:
    return min(max(number, 0), most)
