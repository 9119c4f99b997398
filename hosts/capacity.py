"""How much of a host may be promised to machines, its overcommit ratios taken into account."""

from __future__ import annotations

from dataclasses import dataclass

from hosts.models import Host


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """Of a kind of thing: how much there is to be promised, and how much is."""

    limit: int
    used: int

    @property
    def free(self) -> int:
        """What is left, never less than nothing."""
        return max(0, self.limit - self.used)

    def __add__(self, other: Share) -> Share:
        return Share(limit=self.limit + other.limit, used=self.used + other.used)


NOTHING = Share(limit=0, used=0)


def cpu(host: Host, *, coming: int = 0) -> Share:
    """vCPUs: those of running machines, and `coming` of machines that are being made."""
    return Share(limit=int(host.cpus * host.cpu_overcommit), used=host.vcpus_running + coming)


def memory_mib(host: Host, *, coming: int = 0) -> Share:
    """Memory in MiB: that of running machines, and `coming` of machines that are being made.

    Without overcommit what the host itself holds can't be promised either, whatever the machines were promised.
    """
    limit, promised = int(host.memory_mib * host.memory_overcommit), host.memory_running_mib + coming
    if host.memory_overcommit <= 1:
        promised = max(promised, limit - max(0, host.memory_free_mib - coming))
    return Share(limit=limit, used=promised)
