"""The definition of a domain that is made from another, and of one that others are made from."""

import copy
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from hypervisor.errors import Invalid
from hypervisor.specs import BackingSpec, ImageFormat
from hypervisor.xml import edit_size, options
from hypervisor.xml.elements import Element, document, element, serialize, set_attribute, set_text

# Where libvirt's system daemon keeps the variables of UEFI.
_NVRAM_FOLDER: Final = "/var/lib/libvirt/qemu/nvram"
# What belongs to one domain alone: a second one with it would not start beside the first, or would share it.
_NOT_COPIED: Final = (
    "devices/hostdev",
    "devices/interface[@type='hostdev']",
    "devices/shmem",
    "devices/vsock",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewDisk:
    """What stands behind a disk of the copy: a file, and the one it is based on (None: it stands alone)."""

    path: str
    format: ImageFormat
    backing: BackingSpec | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewIdentity:
    """Who the copy is, and how large; a changed number of vCPUs drops the topology.

    `disks` are by target, `macs` by the MAC address of the original's card in lower case.
    """

    uuid: UUID
    name: str
    description: str
    vcpus: int
    memory_mib: int
    disks: Mapping[str, NewDisk]
    macs: Mapping[str, str]
    vnc_password: str


def cloned(xml: str, identity: NewIdentity) -> str:
    """The definition of the copy. The rest stays as it was, but what no two domains may have is left out.

    Its UEFI starts with fresh variables, its TPM empty. Raises `Invalid` for a disk or card that `identity`
    doesn't name.
    """
    root = document(xml)
    _become(root, identity)
    for path in _NOT_COPIED:
        for found in root.iterfind(path):
            _drop(found)
    for disk in root.iterfind("devices/disk"):
        if disk.get("device", "disk") == "disk":
            _replace(disk, identity.disks)
    for card in root.iterfind("devices/interface"):
        _give_address(card, identity.macs)
    for screen in root.iterfind("devices/graphics"):
        _open_anew(screen, identity.vnc_password)
    return _sized(serialize(root), identity)


def keep_nvram(xml: str) -> str:
    """Name the file with UEFI's variables: libvirt calls it after the domain, and loses it when that is renamed."""
    root = document(xml)
    os = root.find("os")
    if os is not None and os.get("firmware") == "efi" and os.find("nvram") is None:
        os.append(element("nvram", text=_nvram(root.findtext("name") or "")))
    return serialize(root)


def freeze_disks(xml: str) -> str:
    """Let no guest write to the disks, whoever starts it."""
    root = document(xml)
    for disk in root.iterfind("devices/disk"):
        if disk.get("device", "disk") == "disk" and disk.find("readonly") is None:
            disk.append(element("readonly"))
    return serialize(root)


def thaw_disks(xml: str, *, targets: Collection[str] | None) -> str:
    """Let the guest write to the disks of these targets again; None: to all."""
    root = document(xml)
    for disk in root.iterfind("devices/disk"):
        target, mark = disk.find("target"), disk.find("readonly")
        if mark is None or disk.get("device", "disk") != "disk":
            continue
        if targets is None or (target is not None and target.get("dev") in targets):
            disk.remove(mark)
    return serialize(root)


def set_network(xml: str, network: str) -> str:
    """Plug all network cards into the libvirt network `network`."""
    root = document(xml)
    for card in root.iterfind("devices/interface"):
        source = card.find("source")
        if source is not None:
            card.remove(source)
        card.set("type", "network")
        mac = card.find("mac")
        position = 0 if mac is None else card.index(mac) + 1
        card.insert(position, element("source", attributes={"network": network}))
    return serialize(root)


def left_out(xml: str) -> tuple[str, ...]:
    """What of the domain a copy doesn't get, in words."""
    root = document(xml)
    words = {"hostdev": "host device", "interface": "host network card", "shmem": "shared memory"}
    return tuple(
        words.get(str(found.tag), str(found.tag)) for path in _NOT_COPIED for found in root.iterfind(path)
    )


def _become(root: Element, identity: NewIdentity) -> None:
    root.attrib.pop("id", None)
    for tag, text in (("name", identity.name), ("uuid", str(identity.uuid))):
        found = root.find(tag)
        if found is None:
            raise Invalid(f"The document has no <{tag}>.")
        set_text(found, text)
    for stale in [found for tag in ("title", "description") for found in root.iterfind(tag)]:
        root.remove(stale)
    if identity.description:
        root.insert(1, element("description", text=identity.description))
    _give_nvram(root, identity)
    generation = root.find("genid")
    if generation is not None:
        set_text(generation, "")  # libvirt makes one
    for entry in root.iterfind("sysinfo/system/entry[@name='uuid']"):
        set_text(entry, str(identity.uuid))


def _give_nvram(root: Element, identity: NewIdentity) -> None:
    """A file of its own for UEFI's variables, called after what never changes."""
    os = root.find("os")
    if os is None:
        return
    before = os.find("nvram")
    if before is None and os.get("firmware") != "efi":
        return
    made = element("nvram", text=_nvram(str(identity.uuid)))
    if before is not None:
        if before.get("template"):
            made.set("template", before.get("template", ""))
        os.remove(before)
    os.append(made)


def _nvram(name: str) -> str:
    return f"{_NVRAM_FOLDER}/{name}_VARS.fd"


def _sized(xml: str, identity: NewIdentity) -> str:
    root = document(xml)
    if root.findtext("vcpu") != str(identity.vcpus) or root.find("vcpu[@current]") is not None:
        count, cpu = identity.vcpus, options.cpu(root)
        xml = edit_size.set_cpu(xml, vcpus=count, vcpus_max=count, cpu=cpu)
    if options.memory_mib(root.find("memory")) != identity.memory_mib:
        xml = edit_size.set_memory(xml, memory_mib=identity.memory_mib, memory_max_mib=identity.memory_mib)
    return xml


def _replace(disk: Element, new: Mapping[str, NewDisk]) -> None:
    target = disk.find("target")
    name = "" if target is None else target.get("dev", "")
    if name not in new:
        raise Invalid(f"Disk {name} has no copy.")
    chosen, source = new[name], disk.find("source")
    base = None if chosen.backing is None else _layer(chosen.backing, disk.find("backingStore"))
    for stale in [found for tag in ("source", "backingStore", "readonly") for found in disk.iterfind(tag)]:
        disk.remove(stale)
    position = 0 if target is None else disk.index(target)
    disk.insert(position, element("backingStore") if base is None else base)
    kept = {} if source is None else {k: v for k, v in source.attrib.items() if k == "startupPolicy"}
    disk.insert(position, element("source", attributes={"file": chosen.path, **kept}))
    disk.set("type", "file")
    driver = disk.find("driver")
    if driver is None:
        driver = element("driver", attributes={"name": "qemu"})
        disk.insert(0, driver)
    set_attribute(driver, "type", chosen.format.value)


def _layer(base: BackingSpec, below: Element | None) -> Element:
    """`base` with what it is based on itself, which the original's disk says; nothing there is the end of it."""
    rest = element("backingStore") if below is None else copy.deepcopy(below)
    return element(
        "backingStore",
        element("format", attributes={"type": base.format.value}),
        element("source", attributes={"file": base.path}),
        rest,
        attributes={"type": "file"},
    )


def _give_address(card: Element, macs: Mapping[str, str]) -> None:
    mac = card.find("mac")
    old = "" if mac is None else mac.get("address", "").lower()
    if mac is None or old not in macs:
        raise Invalid(f"The network card {old} has no new address.")
    set_attribute(mac, "address", macs[old])
    target = card.find("target")
    if target is not None:  # a name for the host's end, which only one can have
        card.remove(target)


def _open_anew(screen: Element, password: str) -> None:
    """On a port that libvirt chooses, with another password where there was one."""
    if screen.get("type") in ("vnc", "spice") and screen.get("autoport", "yes") != "yes":
        screen.set("autoport", "yes")
        for port in ("port", "tlsPort", "websocket"):
            screen.attrib.pop(port, None)
    if screen.get("type") == "vnc" and screen.get("passwd") is not None:
        set_attribute(screen, "passwd", password)


def _drop(found: Element) -> None:
    parent = found.getparent()
    if parent is not None:
        parent.remove(found)
