"""What domains and their host have used so far."""

import time
from collections.abc import Iterator
from typing import Any, Final

import libvirt

from hypervisor.connection import Connection
from hypervisor.stats import BlockStats, DomainStats, HostStats, NetStats
from hypervisor.translation import translate

# Only the groups in use: each costs the daemon a question to every QEMU, and the numbers of vCPUs are known.
_GROUPS: Final = (
    libvirt.VIR_DOMAIN_STATS_CPU_TOTAL
    | libvirt.VIR_DOMAIN_STATS_BALLOON
    | libvirt.VIR_DOMAIN_STATS_BLOCK
    | libvirt.VIR_DOMAIN_STATS_INTERFACE
)
# A domain that another job holds is told of in part, instead of keeping all the others waiting.
_FLAGS: Final = (
    libvirt.VIR_CONNECT_GET_ALL_DOMAINS_STATS_ACTIVE | libvirt.VIR_CONNECT_GET_ALL_DOMAINS_STATS_NOWAIT
)
# A host can claim any number of devices.
_MOST_DEVICES: Final = 64


class StatsCalls(Connection):
    """Two calls, however many domains there are."""

    @translate()
    def read_stats(self) -> HostStats:
        """Counters of the host and of every domain that is on, now."""
        answer = self._connection.getAllDomainStats(_GROUPS, _FLAGS)
        taken_s = time.monotonic()
        busy_ns, total_ns = self._cpu_ns()
        return HostStats(
            taken_s=taken_s,
            cpu_busy_ns=busy_ns,
            cpu_total_ns=total_ns,
            # Without a CPU time QEMU was busy starting, ending or migrating: nothing true can be said of it.
            domains=tuple(
                domain_stats(domain.UUIDString(), stats) for domain, stats in answer if "cpu.time" in stats
            ),
        )

    def _cpu_ns(self) -> tuple[int, int]:
        try:
            times = self._connection.getCPUStats(libvirt.VIR_NODE_CPU_STATS_ALL_CPUS, 0)
        except libvirt.libvirtError as error:
            if error.get_error_domain() == libvirt.VIR_FROM_RPC:
                raise
            return 0, 0
        idle = times.get("idle", 0) + times.get("iowait", 0)
        busy = times.get("user", 0) + times.get("kernel", 0)
        return busy, busy + idle


def domain_stats(uuid: str, stats: dict[str, Any]) -> DomainStats:
    """One record of libvirt's flat list of names and numbers."""
    number = stats.get
    return DomainStats(
        uuid=uuid,
        cpu_time_ns=number("cpu.time", 0),
        memory_kib=number("balloon.current", 0),
        memory_rss_kib=number("balloon.rss", 0),
        memory_guest_kib=_guest_kib(stats),
        blocks=tuple(_blocks(stats)),
        nets=tuple(_nets(stats)),
    )


def _guest_kib(stats: dict[str, Any]) -> int | None:
    if not stats.get("balloon.last-update") or not {"balloon.available", "balloon.usable"} <= stats.keys():
        return None
    return max(0, int(stats["balloon.available"]) - int(stats["balloon.usable"]))


def _blocks(stats: dict[str, Any]) -> Iterator[BlockStats]:
    for index in range(min(stats.get("block.count", 0), _MOST_DEVICES)):
        at = f"block.{index}."
        # Missing for an empty drive, and while another job holds the domain: that is not the same as 0.
        if f"{at}rd.bytes" in stats:
            yield BlockStats(
                target=stats.get(f"{at}name", ""),
                read_bytes=stats[f"{at}rd.bytes"],
                read_requests=stats.get(f"{at}rd.reqs", 0),
                write_bytes=stats.get(f"{at}wr.bytes", 0),
                write_requests=stats.get(f"{at}wr.reqs", 0),
            )


def _nets(stats: dict[str, Any]) -> Iterator[NetStats]:
    for index in range(min(stats.get("net.count", 0), _MOST_DEVICES)):
        at = f"net.{index}."
        if f"{at}rx.bytes" in stats:
            yield NetStats(
                device=stats.get(f"{at}name", ""),
                rx_bytes=stats[f"{at}rx.bytes"],
                tx_bytes=stats.get(f"{at}tx.bytes", 0),
            )
