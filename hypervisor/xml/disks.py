"""Disks and drives: read from a machine's documents, and changed in them. One is known by its target."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Final

from hypervisor.device_facts import Presence
from hypervisor.errors import NotFound
from hypervisor.facts import DiskFacts, DiskFile
from hypervisor.limits import IoLimits
from hypervisor.specs import CdromSpec, DiskBus, DiskChange, DiskSpec
from hypervisor.xml import build
from hypervisor.xml.elements import Element, document, element, integer, serialize, set_attribute
from hypervisor.xml.reading import TEXT_LIMIT, attribute, number, text_at

# What a column of the inventory holds.
_LARGEST: Final = 2**63 - 1
# QEMU's own ways, by their names.
_USUAL: Final = {"cache": "default", "discard": "ignore"}


def disk_facts(definition: Element, live: Element | None) -> tuple[DiskFacts, ...]:
    """Those of this run, if it runs, in its order; then those that come with the next start."""
    defined = [_facts(disk, Presence.NEXT) for disk in definition.iterfind("devices/disk")]
    if live is None:
        return tuple(replace(disk, present=Presence.BOTH) for disk in defined)
    running = [_facts(disk, Presence.NOW) for disk in live.iterfind("devices/disk")]
    later = {disk.target: disk for disk in defined}
    here = {disk.target for disk in running}
    merged = [_merged(disk, later.get(disk.target)) for disk in running]
    return (*merged, *(disk for disk in defined if disk.target not in here))


def find(xml: str, target: str) -> str | None:
    """The device alone as a document; None where the machine has no such target."""
    found = _find(document(xml), target)
    return None if found is None else serialize(found)


def path_of(xml: str, target: str) -> str | None:
    """The file or device it is; blank for an empty drive, None where the machine has no such target."""
    found = _find(document(xml), target)
    return None if found is None else _path(found)


def device(spec: DiskSpec | CdromSpec) -> str:
    """The device alone, to be plugged in."""
    return serialize(build.disk(spec) if isinstance(spec, DiskSpec) else build.cdrom(spec))


def named(target: str) -> str:
    """As much of a device as libvirt needs to pull it out."""
    target_of = element("target", attributes={"dev": target})
    return serialize(element("disk", target_of, attributes={"type": "file", "device": "disk"}))


def scsi_controller() -> str:
    """The controller alone, to be plugged in before the first SCSI disk."""
    return serialize(build.scsi_controller())


def has_scsi_controller(xml: str) -> bool:
    """Whether a SCSI disk would find a place."""
    return document(xml).find("devices/controller[@type='scsi']") is not None


def changing(target: str, change: DiskChange) -> Callable[[str], str]:
    """The edit that changes a disk in a definition."""

    def edit(xml: str) -> str:
        root = document(xml)
        disk = _required(root, target)
        driver = disk.find("driver")
        if driver is None:
            driver = element("driver", attributes={"name": "qemu"})
            disk.insert(0, driver)
        for name, value in (("cache", change.cache), ("discard", change.discard)):
            if value is not None:
                set_attribute(driver, name, value.value)
        if change.bus is not None and change.target is not None:
            _set_bus(root, disk, change.bus, change.target)
        return serialize(root)

    return edit


def _set_bus(root: Element, disk: Element, bus: DiskBus, target: str) -> None:
    """libvirt finds it a new address, and QEMU names for it that fit the bus."""
    place = disk.find("target")
    if place is None:
        raise NotFound("The disk has no target.")
    set_attribute(place, "dev", target)
    set_attribute(place, "bus", bus.value)
    for stale in [*disk.iterfind("address"), *disk.iterfind("alias")]:
        disk.remove(stale)
    if bus is DiskBus.SCSI and root.find("devices/controller[@type='scsi']") is None:
        disk.addprevious(build.scsi_controller())


def _merged(disk: DiskFacts, later: DiskFacts | None) -> DiskFacts:
    if later is None:
        return disk
    pairs = [
        (name, getattr(disk, name), getattr(later, name)) for name in ("bus", "cache", "discard", "path")
    ]
    pending = [(name, after) for name, now, after in pairs if after != now]
    if disk.limits != later.limits:
        pending.append(("limits", ""))
    files = tuple(dict.fromkeys((*disk.files, *later.files)))
    return replace(disk, present=Presence.BOTH, pending=tuple(pending), files=files)


def _facts(disk: Element, present: Presence) -> DiskFacts:
    source, target, driver = disk.find("source"), disk.find("target"), disk.find("driver")
    return DiskFacts(
        target=attribute(target, "dev"),
        bus=attribute(target, "bus"),
        device=disk.get("device", "disk")[:TEXT_LIMIT],
        path=_path(disk),
        pool=attribute(source, "pool"),
        volume=attribute(source, "volume"),
        format=attribute(driver, "type"),
        readonly=disk.find("readonly") is not None,
        shareable=disk.find("shareable") is not None,
        serial=text_at(disk, "serial"),
        cache=_chosen(driver, "cache"),
        discard=_chosen(driver, "discard"),
        limits=_limits(disk),
        boot_order=integer(attribute(disk.find("boot"), "order")) or None,
        present=present,
        pending=(),
        files=tuple(dict.fromkeys(_files(disk))),
    )


def _files(disk: Element) -> Iterator[DiskFile]:
    """Those of the disk, of each <backingStore>, of a <mirror> and of a <dataStore>: all of them say <source>."""
    for source in disk.iter("source"):
        file = DiskFile(
            path=attribute(source, "file") or attribute(source, "dev"),
            pool=attribute(source, "pool"),
            volume=attribute(source, "volume"),
            base=next(source.iterancestors("backingStore"), None) is not None,
        )
        if file.path or file.volume:
            yield file


def _chosen(driver: Element | None, name: str) -> str:
    value = attribute(driver, name)
    return "" if value == _USUAL[name] else value


def _limits(disk: Element) -> IoLimits:
    """A limit on reads and writes together counts as one on each: it is never above."""

    def at_most(kind: str) -> list[int]:
        total = number(disk, f"iotune/total_{kind}_sec")
        each = [number(disk, f"iotune/{way}_{kind}_sec") or total for way in ("read", "write")]
        return [min(max(value, 0), _LARGEST) for value in each]

    (read_bytes_s, write_bytes_s), (read_iops, write_iops) = at_most("bytes"), at_most("iops")
    return IoLimits(
        read_bytes_s=read_bytes_s, write_bytes_s=write_bytes_s, read_iops=read_iops, write_iops=write_iops
    )


def _path(disk: Element) -> str:
    source = disk.find("source")
    return attribute(source, "file") or attribute(source, "dev")


def _find(root: Element, target: str) -> Element | None:
    for disk in root.iterfind("devices/disk"):
        if attribute(disk.find("target"), "dev") == target:
            return disk
    return None


def _required(root: Element, target: str) -> Element:
    found = _find(root, target)
    if found is None:
        raise NotFound(f"The domain has no disk {target}.")
    return found
