"""On which host a machine runs best: a pure function over what is known of the hosts, with its reasons in words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from core.units import GIB, human_bytes, human_mib
from hosts.capacity import Share

# Memory is what machines cannot share, CPUs they can, and disks of ours grow slowly.
MEMORY_WEIGHT: Final = 0.5
CPU_WEIGHT: Final = 0.3
SPACE_WEIGHT: Final = 0.2
# A disk that grows with use needs little at first; in less than this it would stop its machine soon.
LEAST_SPACE: Final = 1 * GIB
USUAL_POOL: Final = "default"


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """What a machine takes. `disk_bytes` is None for one whose disks are there already.

    A `thin` disk takes space as it fills. `network` and `iso` are names, blank where it needs none; the host must have
    all of `labels`.
    """

    name: str
    vcpus: int
    memory_mib: int
    disk_bytes: int | None = None
    thin: bool = True
    uefi: bool = False
    network: str = ""
    iso: str = ""
    labels: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Space:
    """A pool that disks can be made in; `key` is its row's."""

    key: int
    name: str
    free_bytes: int
    capacity_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A host as placement sees it; `key` is its row's. `trouble` says why nothing can be asked of it, blank if it can.

    `cpu` in vCPUs and `memory` in MiB are what may be promised; `cpu_percent` is how busy its CPUs are, None while
    unknown. `has_name` tells that a machine of the needed name is there, `has_iso` that the needed image is.
    """

    key: int
    name: str
    trouble: str = ""
    kvm: bool
    uefi: bool
    cpus: int
    cpu: Share
    cpu_percent: float | None
    memory: Share
    labels: frozenset[str] = frozenset()
    pools: tuple[Space, ...] = ()
    networks: frozenset[str] = frozenset()
    has_name: bool = False
    has_iso: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A host that can take the machine, with the pool for its disk, and what speaks for it."""

    host: Candidate
    pool: Space | None
    score: float
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A host that can't take the machine, and all that speaks against it."""

    host: Candidate
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranking:
    """Places from best to worst, and the other hosts. `note` says what narrowed the choice, blank if nothing did."""

    places: tuple[Place, ...]
    refusals: tuple[Refusal, ...]
    note: str = ""

    @property
    def best(self) -> Place | None:
        """Where it should run, None where it can't."""
        return self.places[0] if self.places else None


def rank(need: Need, candidates: Iterable[Candidate]) -> Ranking:
    """Every host, with its reasons. KVM stands before emulation; then who keeps most free; then the name."""
    places, refusals = [], []
    hosts = list(candidates)
    for host in hosts:
        pool = _pool(need, host)
        against = list(_against(need, host, pool))
        if against:
            refusals.append(Refusal(host=host, why="; ".join(against)))
        else:
            score = _score(need, host, pool)
            places.append(Place(host=host, pool=pool, score=score, why=_why(host, pool)))
    places.sort(key=lambda place: (not place.host.kvm, -place.score, place.host.name))
    refusals.sort(key=lambda refusal: refusal.host.name)
    return Ranking(places=tuple(places), refusals=tuple(refusals), note=_note(need, hosts))


def _against(need: Need, host: Candidate, pool: Space | None) -> Iterator[str]:
    if host.trouble:
        yield host.trouble
        return  # what is known of the rest is old
    if host.has_name:
        yield f"has a virtual machine called {need.name} already"
    if need.labels - host.labels:
        yield f"lacks the label {', '.join(sorted(need.labels - host.labels))}"
    yield from _against_sizes(need, host, pool)
    yield from _against_equipment(need, host)


def _against_sizes(need: Need, host: Candidate, pool: Space | None) -> Iterator[str]:
    if need.memory_mib > host.memory.free:
        free, needed = _told_apart(host.memory.free, need.memory_mib)
        yield f"{free} of memory free, {needed} needed"
    if need.vcpus > host.cpus:
        yield f"has {host.cpus} CPUs, {need.vcpus} needed"
    elif need.vcpus > host.cpu.free:
        yield f"{host.cpu.used} of {host.cpu.limit} vCPUs are promised"
    if need.disk_bytes is not None and pool is None:
        yield f"no pool has room for {human_bytes(need.disk_bytes)}"


def _against_equipment(need: Need, host: Candidate) -> Iterator[str]:
    if need.uefi and not host.uefi:
        yield "has no UEFI firmware"
    if need.iso and not host.has_iso:
        yield f"does not have {need.iso}"
    if need.network and need.network not in host.networks:
        yield f"has no active network {need.network}"


def _told_apart(free: int, needed: int) -> tuple[str, str]:
    """Both in words, exactly where rounding would make them the same."""
    words = human_mib(free), human_mib(needed)
    return (f"{free:,} MiB", f"{needed:,} MiB") if len(set(words)) == 1 else words


def _pool(need: Need, host: Candidate) -> Space | None:
    """The usual pool where it has room, else the one with most."""
    if need.disk_bytes is None:
        return None
    least = min(need.disk_bytes, LEAST_SPACE) if need.thin else need.disk_bytes
    fitting = [
        pool for pool in host.pools if pool.free_bytes >= least and pool.capacity_bytes >= need.disk_bytes
    ]
    roomy = [pool for pool in fitting if pool.free_bytes >= need.disk_bytes]
    return max(
        roomy or fitting,
        key=lambda pool: (pool.name == USUAL_POOL, pool.free_bytes, pool.name),
        default=None,
    )


def _score(need: Need, host: Candidate, pool: Space | None) -> float:
    """How much stays free, 0 to 1, with the machine on it; without a disk to make, space has no say."""
    memory = _part(host.memory.free - need.memory_mib, host.memory.limit)
    promised = _part(host.cpu.free - need.vcpus, host.cpu.limit)
    idle = 1.0 if host.cpu_percent is None else _part(100 - host.cpu_percent, 100)
    score = MEMORY_WEIGHT * memory + CPU_WEIGHT * min(promised, idle)
    if pool is None or need.disk_bytes is None:
        return score / (MEMORY_WEIGHT + CPU_WEIGHT)
    return score + SPACE_WEIGHT * _part(pool.free_bytes - need.disk_bytes, pool.capacity_bytes)


def _part(some: float, whole: float) -> float:
    return min(1.0, max(0.0, some / whole)) if whole > 0 else 0.0


def _why(host: Candidate, pool: Space | None) -> str:
    words = [f"{human_mib(host.memory.free)} of memory free"]
    if host.cpu_percent is not None:
        words.append(f"CPUs {host.cpu_percent:.0f} % busy")
    words.append(f"{host.cpu.used} of {host.cpu.limit} vCPUs promised")
    if pool is not None:
        words.append(f"{human_bytes(pool.free_bytes)} free in pool {pool.name}")
    if not host.kvm:
        words.append("without KVM")
    return ", ".join(words)


def _note(need: Need, hosts: list[Candidate]) -> str:
    holders = [host.name for host in hosts if host.has_iso]
    if need.iso and len(holders) == 1 < len(hosts):
        return f"{need.iso} is only on {holders[0]}."
    return ""
