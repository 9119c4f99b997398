"""Snapshots' documents: written, read, and what follows from them for the domain's own definition.

https://libvirt.org/formatsnapshot.html
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Final

from hypervisor.errors import Invalid
from hypervisor.facts import DomainState
from hypervisor.snapshots import EXTERNAL, INTERNAL, NONE, KeptFile, SnapshotFacts, SnapshotSpec
from hypervisor.xml.elements import Element, document, element, serialize

_TEXT_LIMIT: Final = 4096
_LAST_SECOND: Final = int(datetime.max.replace(tzinfo=UTC).timestamp()) - 86400
_STATES: Final = {
    "running": DomainState.RUNNING,
    "blocked": DomainState.RUNNING,
    "paused": DomainState.PAUSED,
    # Disks alone, of a domain that ran.
    "disk-snapshot": DomainState.OFF,
    "shutoff": DomainState.OFF,
    "crashed": DomainState.CRASHED,
}


def snapshot_xml(spec: SnapshotSpec) -> str:
    """The snapshot to take."""
    disks = [_disk(target, INTERNAL) for target in spec.inside]
    for layer in spec.layers:
        source = element("source", attributes={"file": layer.path})
        driver = element("driver", attributes={"type": "qcow2"})
        disks.append(_disk(layer.target, EXTERNAL, driver, source))
    disks += [_disk(target, NONE) for target in spec.left_out]
    parts = [element("name", text=spec.name), element("description", text=spec.description)]
    if spec.memory_path:
        kept = {"snapshot": EXTERNAL, "file": spec.memory_path}
        parts.append(element("memory", attributes=kept))
    elif spec.layers:
        parts.append(element("memory", attributes={"snapshot": NONE}))
    return serialize(element("domainsnapshot", *parts, element("disks", *disks)))


def snapshot_facts(text: str, *, current: bool) -> SnapshotFacts:
    """One snapshot from its document."""
    root = document(text)
    memory = root.find("memory")
    kept = NONE if memory is None else memory.get("snapshot", NONE)
    ways = {disk.get("name", ""): disk.get("snapshot") for disk in root.iterfind("disks/disk")}
    then = tuple(_files(root.iterfind("domain/devices/disk")))
    return SnapshotFacts(
        name=_text(root, "name"),
        domain_name=_text(root, "domain/name"),
        description=_text(root, "description"),
        parent=_text(root, "parent/name"),
        taken_at=_moment(_text(root, "creationTime")),
        state=_STATES.get(_text(root, "state"), DomainState.UNKNOWN),
        memory=kept if kept in (INTERNAL, EXTERNAL) else NONE,
        memory_path="" if memory is None else memory.get("file", "")[:_TEXT_LIMIT],
        files=tuple(file for file in then if ways.get(file.target) == EXTERNAL),
        inside=tuple(file for file in then if ways.get(file.target) == INTERNAL),
        disks=tuple(dict.fromkeys(_files(filter(_own, _both(root))))),
        current=current,
    )


def definition_at(text: str, layers: Mapping[str, str]) -> str:
    """The definition that the domain had at the snapshot, with `layers` as the files of its disks, by target."""
    root = document(text)
    return _with_files(_kept(root, "inactiveDomain", "domain"), layers)


def run_at(text: str, layers: Mapping[str, str]) -> str:
    """The document of the run that the snapshot kept the memory of, with `layers` as the files of its disks."""
    return _with_files(_kept(document(text), "domain"), layers)


def with_files_replaced(text: str, files: Mapping[str, tuple[str, str]]) -> str:
    """The same snapshot, where its disks lie in other files now: by the old path the new one, and its format."""
    root = document(text)
    for disk in _both(root):
        path = _path(disk)
        if path in files:
            _put(disk, *files[path])
    return serialize(root)


def without_chains(text: str, targets: frozenset[str]) -> str:
    """The definition, where libvirt finds out anew what these disks are based on: their own files say it."""
    root = document(text)
    for disk in root.iterfind("devices/disk"):
        if _target(disk) in targets:
            _forget_chain(disk)
    return serialize(root)


def chains(live: str) -> dict[str, tuple[str, ...]]:
    """By target, the files that each disk of a running domain is made of, the one that is written to first."""
    return {_target(disk): tuple(_chain(disk)) for disk in document(live).iterfind("devices/disk")}


def mirror_ready(live: str, target: str) -> bool:
    """Whether all of a disk has been merged, and the domain waits to go on in the other file."""
    for disk in document(live).iterfind("devices/disk"):
        mirror = disk.find("mirror")
        if _target(disk) == target and mirror is not None:
            return mirror.get("ready") == "yes"
    return False


def _chain(part: Element | None) -> Iterator[str]:
    while part is not None and (path := _path(part)):
        yield path
        part = part.find("backingStore")


def _with_files(domain: Element, layers: Mapping[str, str]) -> str:
    domain.tag = "domain"
    missing = set(layers)
    for disk in domain.iterfind("devices/disk"):
        target = _target(disk)
        if target not in layers:
            continue
        missing.discard(target)
        _put(disk, layers[target], "qcow2")
    if missing:
        raise Invalid(f"The snapshot has no disk {min(missing)}.")
    return serialize(domain)


def _put(disk: Element, path: str, kind: str) -> None:
    """Another file as the disk's; what libvirt noted of the old one goes with it."""
    source, driver = disk.find("source"), disk.find("driver")
    if source is None or driver is None:
        raise Invalid(f"Disk {_target(disk)} of the snapshot has no file.")
    disk.set("type", "file")
    source.attrib.clear()
    for stale in list(source):
        source.remove(stale)
    source.set("file", path)
    driver.set("type", kind)
    _forget_chain(disk)


def _forget_chain(disk: Element) -> None:
    for stale in [*disk.iterfind("backingStore"), *disk.iterfind("mirror")]:
        disk.remove(stale)


def _kept(root: Element, *tags: str) -> Element:
    for tag in tags:
        found = root.find(tag)
        if found is not None:
            return found
    raise Invalid("The snapshot does not say what the domain was.")


def _disk(target: str, kind: str, *children: Element) -> Element:
    return element("disk", *children, attributes={"name": target, "snapshot": kind})


def _both(root: Element) -> list[Element]:
    """The disks of the run and those of the definition."""
    return [*root.iterfind("domain/devices/disk"), *root.iterfind("inactiveDomain/devices/disk")]


def _own(disk: Element) -> bool:
    shared = disk.find("readonly") is not None or disk.find("shareable") is not None
    return disk.get("device", "disk") == "disk" and not shared


def _files(disks: Iterable[Element]) -> Iterator[KeptFile]:
    for disk in disks:
        path, driver = _path(disk), disk.find("driver")
        if path:
            kind = "" if driver is None else driver.get("type", "")[:_TEXT_LIMIT]
            yield KeptFile(target=_target(disk), path=path, format=kind)


def _path(part: Element) -> str:
    source = part.find("source")
    return "" if source is None else (source.get("file") or source.get("dev") or "")[:_TEXT_LIMIT]


def _target(disk: Element) -> str:
    target = disk.find("target")
    return "" if target is None else target.get("dev", "")[:_TEXT_LIMIT]


def _text(root: Element, path: str) -> str:
    return (root.findtext(path) or "")[:_TEXT_LIMIT]


def _moment(seconds: str) -> datetime | None:
    if not seconds.isascii() or not seconds.isdigit() or len(seconds) > 12:
        return None
    return datetime.fromtimestamp(min(int(seconds), _LAST_SECOND), tz=UTC)
