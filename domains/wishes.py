"""What a person asks for when they want a new machine."""

from __future__ import annotations

from dataclasses import dataclass

from accounts.models import Team
from domains.models import Domain
from hosts.models import Host
from networks.models import Network
from storage.models import Pool, Volume


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """The machine itself. `disk_gib` in GiB, `disk_format` "qcow2" or "raw", `firmware` "bios" or "uefi"."""

    name: str
    vcpus: int
    memory_mib: int
    disk_gib: int
    disk_format: str = "qcow2"
    iso: Volume | None = None
    firmware: str = "bios"
    description: str = ""
    team: Team | None = None
    start: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class NewDomain(Wish):
    """On this host, with its disk in this pool of it, and plugged into this network of it.

    `image` is a disk of this host that its own begins with: a copy of it, or, with `as_it_is`, that disk itself. Then
    `pool`, `disk_gib` and `disk_format` count for nothing.
    """

    host: Host
    pool: Pool
    network: Network | None = None
    image: Volume | None = None
    as_it_is: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Anywhere(Wish):
    """Where it fits best, or in the best pool of the `only` host.

    `network` is a name that the host must have, blank for none, and `labels` are labels that it must have.
    """

    network: str = ""
    labels: frozenset[str] = frozenset()
    only: Host | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Clone:
    """A machine made from `source`, on its host.

    `linked` lays its disks on those of a template instead of copying them. `pool` is where its disks lie, None: where
    those of the original do. `network` is the one for all its cards, None: as the original's.
    """

    source: Domain
    name: str
    vcpus: int
    memory_mib: int
    linked: bool = False
    pool: Pool | None = None
    network: Network | None = None
    description: str = ""
    team: Team | None = None
    start: bool = False
