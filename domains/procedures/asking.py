"""Asks both hosts what only they know about a move; `domains.preflight` has asked the inventory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from uuid import UUID

from core.units import MIB
from domains.models import Domain
from domains.moving import Move
from domains.preflight import Finding, blocker, ok, warning
from hosts.connections import Hypervisor
from hosts.models import Host
from hypervisor.errors import HypervisorError, NotFound
from hypervisor.facts import DomainState, MigrationFacts
from hypervisor.specs import ImageFormat, VolumeSpec
from storage import inventory
from storage.models import Pool, Volume


def ask(source: Hypervisor, target: Hypervisor, domain: Domain, to: Host, move: Move) -> Iterator[Finding]:
    """What is well, to mind, or in the way; nothing is changed. Raises HypervisorError where a host doesn't answer."""
    if to.maintenance:
        yield blocker(f"{to.name} is in maintenance.", "Choose another host, or end its maintenance.")
    facts = source.migration_facts(domain.uuid)
    yield from _machine(facts, move)
    yield from _taken(target, domain, to)
    if move.live:
        yield from _cpu(source, target, domain, to)
        free_mib = target.memory_free_mib()
        if free_mib < domain.memory_mib:
            yield warning(f"{to.name} has {free_mib:,} MiB of memory free now.")


def unshared(source: Hypervisor, target: Hypervisor, move: Move) -> Iterator[Finding]:
    """Disks that both hosts seem to share and don't. To find out, a small file is written for a moment."""
    for disk, here, there in move.shared:
        shared = same_storage(source, target, here, there, mark=mark_of(move))
        pools = Pool.objects.filter(gone_at=None)
        inventory.record_shared(
            pools.get(host__uuid=move.source, uuid=here),
            pools.get(host__uuid=move.target, uuid=there),
            shared=shared,
        )
        if not shared:
            yield blocker(
                f"Disk {disk} is not on shared storage: both hosts have a file of that name.",
                "Have the disks copied.",
            )


def unplanned(source: Hypervisor, move: Move) -> Iterator[Finding]:
    """Disks that were plugged in or exchanged since the move was asked for: nobody chose what becomes of them."""
    old = Volume.objects.filter(uuid__in=[here for _, here, _ in move.copies])
    paths = dict(old.values_list("uuid", "path"))
    copied = {disk: paths.get(here) for disk, here, _ in move.copies}
    shared = {disk for disk, _, _ in move.shared}
    for disk in source.read_domain(move.domain).disks:
        drive = disk.device == "cdrom" or (disk.device == "floppy" and not disk.path)
        if not drive and disk.target not in shared and copied.get(disk.target) != disk.path:
            yield blocker(
                f"Disk {disk.target} is another one than when this move was asked for.", "Ask again."
            )


def mark_of(move: Move) -> str:
    """The name of the file by which storage is proved to be shared: one that who comes after a crash knows, too."""
    return f"kvmpanel-look-{move.domain}"


def same_storage(source: Hypervisor, target: Hypervisor, here: UUID, there: UUID, *, mark: str) -> bool:
    """Whether what one host writes into its pool the other one finds in its own: the one sure sign of shared storage.

    Names, paths and sizes prove nothing: a copy of a machine that moved before has all of them.
    """
    wipe(source, here, mark)  # of one who died here
    source.create_volume(here, VolumeSpec(name=mark, format=ImageFormat.RAW, capacity_bytes=MIB))
    try:
        target.refresh_pool(there)
        target.read_volume(there, mark)
    except NotFound:
        return False
    finally:
        source.delete_volume(here, mark)
    target.refresh_pool(there)
    return True


def wipe(source: Hypervisor, pool: UUID, mark: str) -> None:
    """Take the mark away, where it is."""
    with suppress(NotFound):
        source.refresh_pool(pool)
        source.delete_volume(pool, mark)


def _machine(facts: MigrationFacts, move: Move) -> Iterator[Finding]:
    if move.live is (facts.state is DomainState.OFF):
        words = "It was shut down meanwhile." if move.live else "It was started meanwhile."
        yield blocker(words, "Ask again: a machine that runs moves in another way than one that is off.")
    if facts.job:
        yield blocker("Something else works on it just now.", "Wait for its end.")
    if not facts.persistent:
        yield warning("It has no definition on its host; it gets one where it goes.")
    if facts.managed_save:
        yield blocker("Its saved state can't go along.", "Start it first.")
    if facts.snapshots or facts.checkpoints:
        words = (
            f"It has {facts.snapshots} snapshots and {facts.checkpoints} checkpoints, which can't go along."
        )
        yield blocker(words, "Delete them first.")
    for part in facts.tied if move.live else ():
        yield blocker(f"It has a {part} of its host.", "Take it out, or move the machine while it is off.")
    if facts.nvram and not move.live:
        yield warning("What its UEFI firmware remembers, such as boot entries, is made anew.")


def _taken(target: Hypervisor, domain: Domain, to: Host) -> Iterator[Finding]:
    if target.domain_exists(domain.uuid):
        yield blocker(f"{to.name} knows a virtual machine of this UUID.", "Undefine that one first.")
    elif target.find_domain_by_name(domain.name) is not None:
        yield blocker(f"{to.name} has a virtual machine called {domain.name}.", "Rename one of them.")


def _cpu(source: Hypervisor, target: Hypervisor, domain: Domain, to: Host) -> Iterator[Finding]:
    try:
        fits = source.cpu_fits(domain.uuid, target)
    except HypervisorError as error:
        yield warning(f"{to.name} could not compare CPUs: {error.message}")
        return
    if fits:
        yield ok(f"The CPU of {to.name} fits.")
    else:
        words = f"The CPU of {to.name} lacks what this machine was started with."
        yield blocker(words, "Choose another host, or give the machine a CPU model that all hosts have.")
