"""Changing how a disk is plugged in, and making it larger."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any
from uuid import UUID

from accounts.permissions import Verb
from core.errors import Conflict
from core.events import publish
from core.units import human_bytes
from domains.procedures.disk_parts import disk_at
from domains.procedures.steps import domain_on_host, refresh, show
from hosts.connections import Hypervisor
from hypervisor.facts import DiskFacts
from hypervisor.limits import IoLimits
from hypervisor.specs import CacheMode, Discard, DiskBus, DiskChange
from operations.procedures import Step, procedure
from operations.run import Run
from storage.models import Volume
from storage.procedures.volumes import find, record


class ChangeDisk(Step):
    """Bus, cache and discard in the definition; limits there and now."""

    title = "Change it"

    def __init__(self, params: dict[str, Any]) -> None:
        self.path: str = params["path"]
        self.target: str = params["target"]
        self.after: str = params["after"]
        self.moved: bool = params["moved"]
        self.settings: dict[str, Any] = params["settings"]

    def do(self, run: Run) -> None:
        """Change it; what it was before is kept first."""
        with domain_on_host(run.params) as (hypervisor, domain):
            here = self._here(hypervisor, domain)
            if here is None:
                raise Conflict(f"{self.target} is another disk by now, or none.", fix="Look, and ask again.")
            if "before" not in run.params:
                self._check_target(hypervisor, domain)
                run.keep(before=_settings(here))
            self._apply(hypervisor, domain, here.target, self.after, self.settings)
            show(run)

    def undo(self, run: Run) -> None:
        """As it was before."""
        before = run.params.get("before")
        if before is None:
            return
        with domain_on_host(run.params) as (hypervisor, domain):
            here = self._here(hypervisor, domain)
            if here is not None:
                self._apply(hypervisor, domain, here.target, self.target, before)
            refresh(run.params)

    def _here(self, hypervisor: Hypervisor, domain: UUID) -> DiskFacts | None:
        """The disk, under its old name or its new one."""
        found = (disk_at(hypervisor, domain, name) for name in (self.target, self.after))
        return next((disk for disk in found if disk is not None and disk.path == self.path), None)

    def _check_target(self, hypervisor: Hypervisor, domain: UUID) -> None:
        """The bus changes only where nothing runs, and only to a name that is free."""
        if not self.moved:
            return
        facts = hypervisor.read_domain(domain)
        if facts.live_id is not None:
            raise Conflict("It was started meanwhile: the bus changes only while it is off.")
        if any(disk.target == self.after for disk in facts.disks):
            raise Conflict(f"It has another disk {self.after} by now.", fix="Ask again.")

    def _apply(
        self, hypervisor: Hypervisor, domain: UUID, target: str, after: str, settings: dict[str, Any]
    ) -> None:
        change = DiskChange(
            bus=DiskBus(settings["bus"]) if self.moved else None,
            target=after if self.moved else None,
            cache=CacheMode(settings["cache"]),
            discard=Discard(settings["discard"]),
        )
        hypervisor.change_disk(domain, target, change)
        hypervisor.set_disk_limits(domain, after, IoLimits(**settings["limits"]))


def _settings(disk: DiskFacts) -> dict[str, Any]:
    """As the definition has it."""
    later = dict(disk.pending)
    return {
        "bus": later.get("bus", disk.bus),
        "cache": later.get("cache", disk.cache) or CacheMode.DEFAULT.value,
        "discard": later.get("discard", disk.discard) or Discard.IGNORE.value,
        "limits": asdict(disk.limits),
    }


class Grow(Step):
    """A disk never becomes smaller, so there is no way back."""

    title = "Make it larger"
    point_of_no_return = True

    def __init__(self, target: str, volume: UUID, capacity_bytes: int) -> None:
        self.target = target
        self.volume = volume
        self.capacity_bytes = capacity_bytes

    def do(self, run: Run) -> None:
        """Through QEMU where it has the disk, else in the file. Raises Conflict where it is another disk by now."""
        volume = find(self.volume)
        with domain_on_host(run.params) as (hypervisor, domain):
            disk = disk_at(hypervisor, domain, self.target)
            if disk is None or disk.path != volume.path:
                raise Conflict(f"{self.target} is another disk by now, or none.")
            has_bytes = hypervisor.disk_capacity(domain, self.target)
            if has_bytes > self.capacity_bytes:
                raise Conflict(f"It has {human_bytes(has_bytes)} by now, and a disk can only grow.")
            if has_bytes < self.capacity_bytes:
                self._grow(hypervisor, domain, volume, disk)
            record(hypervisor, volume, hypervisor.read_volume(volume.pool.uuid, volume.name))
        publish("domain", UUID(run.params["domain"]))

    def _grow(self, hypervisor: Hypervisor, domain: UUID, volume: Volume, disk: DiskFacts) -> None:
        running = hypervisor.read_domain(domain).live_id is not None
        if running:
            hypervisor.resize_disk(domain, self.target, self.capacity_bytes)
            return
        facts = hypervisor.read_volume(volume.pool.uuid, volume.name)
        if facts.format != disk.format:
            # The guest wrote what looks like an image of another format: its header must not lead any tool.
            raise Conflict(
                f"The bytes of {volume} look like {facts.format}, and it is {disk.format}.",
                fix="Start the machine, and ask again: QEMU knows what it is.",
            )
        hypervisor.grow_volume(volume.pool.uuid, volume.name, self.capacity_bytes)


@procedure("domain.disk.change", verb=Verb.DOMAIN_EDIT)
def change(params: dict[str, Any]) -> Sequence[Step]:
    """One disk."""
    return [ChangeDisk(params)]


@procedure("domain.disk.resize", verb=Verb.DOMAIN_EDIT)
def resize(params: dict[str, Any]) -> Sequence[Step]:
    """One disk."""
    return [Grow(params["target"], UUID(params["volume"]), params["capacity_bytes"])]
