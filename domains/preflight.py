"""Whether a machine can go to a host, as far as the inventory knows: what is well, what to mind, what is in the way.

`domains.procedures.asking` asks the hosts themselves; both speak in `Finding`s.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from core.units import human_bytes, human_mib
from domains.coming import being_made
from domains.coming import memory_mib as coming_memory_mib
from domains.models import Domain, DomainDisk, DomainNic, DomainState
from domains.moving import MoveOptions
from hosts.models import Host
from networks.models import Bridge, Network
from storage import space
from storage.models import Pool, Volume, VolumeKind

MOVABLE = (DomainState.RUNNING, DomainState.PAUSED, DomainState.OFF)
UEFI = ("uefi", "efi")


class Level(StrEnum):
    """How much a finding matters; only a blocker keeps the machine where it is."""

    OK = "ok"
    WARNING = "warning"
    BLOCKER = "blocker"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was looked at; `fix` says what to do about it."""

    level: Level
    text: str
    fix: str = ""


def ok(text: str) -> Finding:
    """It is well."""
    return Finding(level=Level.OK, text=text)


def warning(text: str, fix: str = "") -> Finding:
    """It works, but somebody may want to know."""
    return Finding(level=Level.WARNING, text=text, fix=fix)


def blocker(text: str, fix: str = "") -> Finding:
    """It would not work."""
    return Finding(level=Level.BLOCKER, text=text, fix=fix)


@dataclass(frozen=True, slots=True, kw_only=True)
class Placing:
    """Where one disk or drive will be: in `pool` there, and where it is there already, at `path`."""

    target: str
    volume: Volume
    pool: Pool
    path: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Preflight:
    """All findings, and what becomes of the disks; `possible` unless something is in the way."""

    findings: tuple[Finding, ...]
    copies: tuple[Placing, ...] = ()
    shared: tuple[Placing, ...] = ()
    drives: tuple[Placing, ...] = ()
    eject: tuple[DomainDisk, ...] = ()

    @property
    def possible(self) -> bool:
        """Whether nothing is in the way."""
        return not self.blockers

    @property
    def blockers(self) -> list[Finding]:
        """What is in the way."""
        return [finding for finding in self.findings if finding.level is Level.BLOCKER]


def look(domain: Domain, target: Host, options: MoveOptions) -> Preflight:
    """Compare the machine, its host and `target` as the inventory has them. A fixed number of queries."""
    live = domain.on
    findings = [*_host(domain, target), *_machine(domain, target), *_networks(domain, target)]
    if live:
        findings += _memory(domain, target)
    disks = _Disks(domain, target, options)
    disks.place()
    return Preflight(
        findings=(*findings, *disks.findings),
        copies=tuple(disks.copies),
        shared=tuple(disks.shared),
        drives=tuple(disks.drives),
        eject=tuple(disks.eject),
    )


def _host(domain: Domain, target: Host) -> Iterator[Finding]:
    if target.pk == domain.host_id:
        yield blocker(f"It is on {target.name} already.", "Choose another host.")
        return
    if not domain.host.up:
        yield blocker(f"{domain.host.name}, where it is, can't be reached.", "Wait until the host answers.")
    if not target.up:
        yield blocker(f"{target.name} can't be reached.", "Choose another host.")
    elif target.maintenance:
        yield blocker(f"{target.name} is in maintenance.", "Choose another host, or end its maintenance.")
    else:
        yield ok(f"{target.name} answers.")
    if domain.on and not (target.migration_address or target.address or target.hostname):
        yield blocker(
            f"Nobody said under which address other hosts find {target.name}.",
            "Give the host a migration address.",
        )


def _machine(domain: Domain, target: Host) -> Iterator[Finding]:
    if domain.state not in MOVABLE:
        state = DomainState(domain.state).label.lower()
        yield blocker(f"It is {state}.", "Wait until it runs, or is off.")
    if domain.managed_save:
        yield blocker("Its saved state can't go along.", "Start it first, or start it anew.")
    snapshots = domain.snapshots.present().count()
    if snapshots:
        words = f"Its {snapshots} snapshots" if snapshots > 1 else "Its snapshot"
        yield blocker(f"{words} can't go along.", "Delete what nobody needs to go back to.")
    if target.cpu_arch and domain.host.cpu_arch != target.cpu_arch:
        yield blocker(f"{target.name} has CPUs of another kind, {target.cpu_arch}.", "Choose another host.")
    if domain.accelerated and not target.kvm:
        yield blocker(f"{target.name} has no KVM.", "Choose another host, or turn KVM on there.")
    if domain.firmware in UEFI and not target.uefi:
        yield blocker(f"{target.name} has no UEFI firmware.", "Install ovmf there.")
    if domain.vcpus > target.cpus:
        yield warning(f"It has {domain.vcpus} vCPUs, {target.name} only {target.cpus} CPUs.")
    if Domain.objects.present().filter(host=target, name=domain.name).exclude(pk=domain.pk).exists():
        yield blocker(f"{target.name} has a virtual machine called {domain.name}.", "Rename one of them.")


def _memory(domain: Domain, target: Host) -> Iterator[Finding]:
    coming = coming_memory_mib(without=domain.uuid)[str(target.uuid)] + being_made()[target.pk][1]
    promised = target.memory_running_mib + coming + domain.memory_mib
    if promised > target.memory_mib * target.memory_overcommit:
        yield blocker(
            f"{target.name} would have promised {human_mib(promised)} of its {human_mib(target.memory_mib)} memory.",
            "Choose another host, or stop something there.",
        )
    elif domain.memory_mib + coming > target.memory_free_mib:
        yield warning(
            f"{target.name} has {human_mib(target.memory_free_mib)} of memory free: it may have to swap.",
        )
    else:
        yield ok(f"{target.name} has {human_mib(target.memory_free_mib)} of memory free.")


def _networks(domain: Domain, target: Host) -> Iterator[Finding]:
    there = {network.name: network for network in Network.objects.present().filter(host=target)}
    bridges = set(Bridge.objects.present().filter(host=target).values_list("name", flat=True))
    for nic in domain.nics.all():
        yield _network(nic, there, bridges, target)


def _network(nic: DomainNic, there: dict[str, Network], bridges: set[str], target: Host) -> Finding:
    if nic.kind == "network":
        network = there.get(nic.source)
        if network is None:
            return blocker(f"{target.name} has no network {nic.source}.", "Make one of this name there.")
        if not network.active:
            return blocker(f"Network {nic.source} is not active on {target.name}.", "Start it there.")
        return ok(f"Network {nic.source} is active on {target.name}.")
    if nic.kind == "bridge":
        if nic.source in bridges or any(network.bridge == nic.source for network in there.values()):
            return ok(f"Bridge {nic.source} is there on {target.name}.")
        if bridges:
            return blocker(f"{target.name} has no bridge {nic.source}.", "Make one of this name there.")
        return warning(f"The panel can't see whether {target.name} has the bridge {nic.source}.")
    return warning(f"A network card of kind {nic.kind} may not work the same on {target.name}.")


def _may_be_empty(disk: DomainDisk) -> bool:
    """Whether it is a drive that nobody would miss an image in; libvirt insists on a source for disks."""
    return disk.device == "cdrom" or (disk.device == "floppy" and not disk.pool_name)


class _Disks:
    """Decides for each disk and drive where it will be on the target."""

    def __init__(self, domain: Domain, target: Host, options: MoveOptions) -> None:
        self.findings: list[Finding] = []
        self.copies: list[Placing] = []
        self.shared: list[Placing] = []
        self.drives: list[Placing] = []
        self.eject: list[DomainDisk] = []
        self._domain, self._target, self._options = domain, target, options
        disks = domain.disks.all()
        self._disks = [disk for disk in disks if disk.path]
        self._pathless = [disk for disk in disks if not disk.path and not _may_be_empty(disk)]
        paths = [disk.path for disk in self._disks]
        volumes = Volume.objects.present().select_related("pool")
        self._here = {v.path: v for v in volumes.filter(pool__host=domain.host, path__in=paths)}
        self._pools = {pool.name: pool for pool in Pool.objects.present().filter(host=target)}
        self._there = {v.path: v for v in volumes.filter(pool__host=target, path__in=paths)}
        isos = [v.sha256 for v in self._here.values() if v.kind == VolumeKind.ISO and v.sha256]
        images = volumes.filter(pool__host=target, kind=VolumeKind.ISO, sha256__in=isos) if isos else ()
        self._images = {v.sha256: v for v in images}

    def place(self) -> None:
        """Fill the lists."""
        for disk in self._disks:
            if disk.device == "cdrom":
                self._place_drive(disk)
            else:
                self._place_disk(disk)
        for disk in self._pathless:
            words = f"Disk {disk.target} is given by its pool or over the network, not as a file or device"
            self.findings.append(
                blocker(
                    f"{words}: the panel can't tell whether both hosts have it.", "Name its file instead."
                )
            )
        if not self._domain.on:
            self._check_bases()

    def _place_drive(self, disk: DomainDisk) -> None:
        volume = self._here.get(disk.path)
        same = self._there.get(disk.path) or self._images.get(volume.sha256 if volume else "")
        if same is not None and volume is not None and same.sha256 == volume.sha256:
            self.drives.append(Placing(target=disk.target, volume=volume, pool=same.pool, path=same.path))
            self.findings.append(ok(f"{volume} in drive {disk.target} is on {self._target.name} too."))
        elif self._options.eject:
            self.eject.append(disk)
            self.findings.append(ok(f"Drive {disk.target} is emptied first."))
        else:
            self.findings.append(
                blocker(
                    f"The image in drive {disk.target} is not on {self._target.name}.",
                    "Let it be ejected, or upload the same image there.",
                )
            )

    def _place_disk(self, disk: DomainDisk) -> None:
        volume = self._here.get(disk.path)
        if volume is None:
            words = f"Disk {disk.target} lies outside of the pools that the panel knows: {disk.path}"
            self.findings.append(blocker(words, "Make a pool of its folder on this host."))
            return
        twin, twins_pool = self._there.get(disk.path), self._pools.get(volume.pool.name)
        if twin is not None and twin.pool == twins_pool and not self._options.copy:
            self.shared.append(Placing(target=disk.target, volume=volume, pool=twin.pool, path=twin.path))
            self.findings.append(
                ok(
                    f"Disk {disk.target} is seen by both hosts in pool {volume.pool.name};"
                    " this is proved before it moves."
                )
            )
            return
        self._copy(disk, volume)

    def _copy(self, disk: DomainDisk, volume: Volume) -> None:
        name = self._options.pool or volume.pool.name
        pool = self._pools.get(name) or (None if self._options.pool else self._pools.get("default"))
        where = self._target.name
        if volume.format not in ("qcow2", "raw"):
            self.findings.append(blocker(f"Disk {disk.target} is {volume.format}: it can't be copied."))
            return
        if pool is None or not pool.usable:
            words = f"{where} has no active pool {name}."
            self.findings.append(blocker(words, "Choose a pool there, or make one of this name."))
            return
        size = space.needed_bytes(volume)
        free = space.free_bytes(pool)
        free -= sum(space.needed_bytes(placing.volume) for placing in self.copies if placing.pool == pool)
        if size > free:
            words = f"Pool {pool.name} on {where} has {human_bytes(max(0, free))} free, too little"
            self.findings.append(
                blocker(f"{words} for disk {disk.target} ({human_bytes(size)}).", "Choose another pool.")
            )
            return
        self.copies.append(Placing(target=disk.target, volume=volume, pool=pool))
        self.findings.append(
            ok(f"Disk {disk.target} is copied to pool {pool.name} on {where} ({human_bytes(size)}).")
        )

    def _check_bases(self) -> None:
        for placing in self.copies:
            if placing.volume.backing_path:
                self.findings.append(
                    blocker(
                        f"Disk {placing.target} is based on another file, and only a running machine's disk"
                        " can be copied whole.",
                        "Start it first.",
                    )
                )
