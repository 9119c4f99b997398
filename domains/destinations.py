"""Where a machine may go: the best host for it, and why the others are not."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from domains.coming import memory_mib
from domains.models import Domain
from domains.moving import MoveOptions
from domains.preflight import Preflight, look
from hosts.models import Host, HostState

# Each look asks the database some eight things; with more hosts than this one of the roomiest fits, or none.
MOST_LOOKS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """A host that a machine can go to, and what was found there."""

    host: Host
    preflight: Preflight
    why: str


def candidates(domain: Domain) -> list[Host]:
    """The hosts that could take it, the roomiest first; those with KVM before the others."""
    hosts = Host.objects.present().filter(state=HostState.UP, maintenance=False).exclude(pk=domain.host_id)
    coming = memory_mib(without=domain.uuid)
    ranked = [(not host.kvm, coming[str(host.uuid)] - _room_mib(host), host.name, host) for host in hosts]
    return [host for *_, host in sorted(ranked, key=lambda one: one[:3])]


def best(domain: Domain, options: MoveOptions, *, without: Collection[int] = ()) -> Destination | None:
    """The roomiest host with nothing in the way; None where there is none. `without` are keys of hosts left out."""
    hosts = [host for host in candidates(domain) if host.pk not in without]
    for host in hosts[:MOST_LOOKS]:
        preflight = look(domain, host, options)
        if preflight.possible:
            why = f"{host.name} has the most memory left for it, {_room_mib(host):,} MiB."
            return Destination(host=host, preflight=preflight, why=why)
    return None


def _room_mib(host: Host) -> int:
    """What of its memory it may still promise."""
    return round(host.memory_mib * host.memory_overcommit) - host.memory_running_mib
