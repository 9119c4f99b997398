"""What a domain's document says about moving it, and the document of the moved one."""

from collections.abc import Mapping
from typing import Final

from lxml import etree

from hypervisor.xml.elements import Element, document, element, serialize

_TEXT_LIMIT: Final = 256
# Parts of the source's own hardware or file system: QEMU can't take them along.
_TIED: Final = {
    "devices/hostdev": "host device",
    "devices/interface[@type='hostdev']": "host network card",
    "devices/filesystem": "shared folder",
    "devices/memory[@model='nvdimm']": "NVDIMM",
    "devices/shmem": "shared memory",
}


def tied_devices(text: str) -> tuple[str, ...]:
    """What in the domain belongs to its host alone, each in words such as "host device pci"."""
    root = document(text)
    return tuple(
        f"{words} {found.get('type', '') if found.tag == 'hostdev' else ''}".strip()[:_TEXT_LIMIT]
        for path, words in _TIED.items()
        for found in root.iterfind(path)
    )


def cpu(text: str) -> tuple[str, str, str, str]:
    """The domain's `<cpu>` ("" where QEMU chooses), and with whom it has to fit: type, architecture, machine."""
    root = document(text)
    found, kind = root.find("cpu"), root.find("os/type")
    return (
        "" if found is None else serialize(found),
        root.get("type", ""),
        "" if kind is None else kind.get("arch", ""),
        "" if kind is None else kind.get("machine", ""),
    )


def has_nvram(text: str) -> bool:
    """Whether its firmware keeps variables in a file of its own."""
    return document(text).find("os/nvram") is not None


def relocated(text: str, paths: Mapping[str, str], *, flat: frozenset[str]) -> str:
    """The document with other files behind the disks and drives named by target in `paths`.

    Those in `flat` are copied whole: what their old file was based on is no longer named.
    """
    root = document(text)
    for disk in root.iterfind("devices/disk"):
        target = disk.find("target")
        name = "" if target is None else target.get("dev", "")
        if name in paths:
            _relocate(disk, paths[name])
        if name in flat:
            _flatten(disk)
    return serialize(root)


def _relocate(disk: Element, path: str) -> None:
    old = disk.find("source")
    position = 0 if old is None else disk.index(old)
    if old is not None:
        disk.remove(old)
    disk.set("type", "file")
    disk.insert(position, element("source", attributes={"file": path}))


def _flatten(disk: Element) -> None:
    for stale in [*disk.iterfind("backingStore"), *disk.iterfind("mirror")]:
        disk.remove(stale)
    source = disk.find("source")
    if source is not None:
        source.addnext(etree.Element("backingStore"))
