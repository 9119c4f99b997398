"""Changes to a definition that exists: the named element changes, everything else stays as it was.

The document to start from is the inactive one with secrets (`VIR_DOMAIN_XML_INACTIVE | VIR_DOMAIN_XML_SECURE`);
without secrets, defining it again would lose the VNC password. Pure functions: a document in, a document out.
Each raises `Invalid` for a document that is none and `NotFound` for a device that is not there.
"""

from collections.abc import Sequence

from lxml import etree

from hypervisor.errors import Invalid, NotFound, Unsupported
from hypervisor.xml.elements import Element, document, element, serialize, set_attribute, set_text

# Where libvirt's own documents put these elements: each goes right behind the last of its predecessors.
_BEFORE_TITLE = ("name", "uuid", "genid")
_BEFORE_DESCRIPTION = (*_BEFORE_TITLE, "title")


def set_name(xml: str, name: str) -> str:
    """Another name. libvirt takes it only together with another UUID or through `virDomainRename`."""
    root = document(xml)
    set_text(_required(root, "name"), name)
    return serialize(root)


def set_title(xml: str, title: str) -> str:
    """Another title; blank removes it."""
    return _set_label(xml, "title", title, after=_BEFORE_TITLE)


def set_description(xml: str, description: str) -> str:
    """Another description; blank removes it."""
    return _set_label(xml, "description", description, after=_BEFORE_DESCRIPTION)


def set_vcpus(xml: str, vcpus: int) -> str:
    """That many vCPUs, all of them present at start; a topology that does not fit is dropped."""
    if vcpus < 1:
        raise Invalid("A domain has at least one vCPU.")
    root = document(xml)
    vcpu = _required(root, "vcpu")
    set_text(vcpu, str(vcpus))
    vcpu.attrib.pop("current", None)
    for stale in [*root.iterfind("vcpus"), *root.iterfind("cpu/topology")]:
        _remove(stale)
    return serialize(root)


def set_memory(xml: str, memory_mib: int) -> str:
    """That much memory, all of it there at start."""
    if memory_mib < 1:
        raise Invalid("A domain has at least 1 MiB of memory.")
    root = document(xml)
    for tag in ("memory", "currentMemory"):
        size = root.find(tag)
        if size is not None:
            set_text(size, str(memory_mib))
            set_attribute(size, "unit", "MiB")
    return serialize(root)


def set_boot_order(xml: str, devices: Sequence[str]) -> str:
    """Boot from these devices, in this order, and from no other.

    A disk is named by its target (`vda`), a network card by its MAC address.
    """
    root = document(xml)
    for stale in [*root.iterfind("os/boot"), *root.iterfind("devices/*/boot")]:
        _remove(stale)
    for order, name in enumerate(devices, start=1):
        _bootable(root, name).append(element("boot", attributes={"order": str(order)}))
    return serialize(root)


def set_media(xml: str, *, target: str, path: str | None) -> str:
    """Another medium, or None, in the CD-ROM drive `target`."""
    root = document(xml)
    _change_medium(_drive(root, target), path)
    return serialize(root)


def media_device(xml: str, *, target: str, path: str | None) -> str:
    """The CD-ROM drive `target` alone, with another medium: what a running domain is updated with."""
    drive = _drive(document(xml), target)
    _change_medium(drive, path)
    return serialize(drive)


def vnc_password_device(xml: str, *, password: str, expires: str) -> str:
    """The VNC screen alone, with another password: what a running domain is updated with.

    `connected` must not be told again: QEMU refuses it while a password is given. Raises `Unsupported` without a
    screen, and for one that was started without a password: QEMU cannot be given the first one later.
    """
    screen = document(xml).find("devices/graphics[@type='vnc']")
    if screen is None or screen.get("passwd") is None:
        raise Unsupported("The domain has no VNC screen with a password.")
    screen.attrib.pop("connected", None)
    set_attribute(screen, "passwd", password)
    set_attribute(screen, "passwdValidTo", expires)
    return serialize(screen)


def _change_medium(drive: Element, path: str | None) -> None:
    """A file in place of whatever was there; what described the old medium goes with it."""
    for stale in [found for tag in ("source", "backingStore") for found in drive.iterfind(tag)]:
        _remove(stale)
    set_attribute(drive, "type", "file")
    if path is not None:
        position = drive.index(_required(drive, "target"))
        drive.insert(position, element("source", attributes={"file": path}))


def _drive(root: Element, target: str) -> Element:
    for drive in root.iterfind("devices/disk[@device='cdrom']"):
        if _required(drive, "target").get("dev") == target:
            return drive
    raise NotFound(f"The domain has no CD-ROM drive {target}.")


def _bootable(root: Element, name: str) -> Element:
    for disk in root.iterfind("devices/disk"):
        if _required(disk, "target").get("dev") == name:
            return disk
    for nic in root.iterfind("devices/interface"):
        mac = nic.find("mac")
        if mac is not None and mac.get("address", "").lower() == name.lower():
            return nic
    raise NotFound(f"The domain has no disk or network card {name}.")


def _set_label(xml: str, tag: str, text: str, *, after: Sequence[str]) -> str:
    root = document(xml)
    label = root.find(tag)
    if not text:
        if label is not None:
            _remove(label)
        return serialize(root)
    if label is None:
        label = etree.Element(tag)
        positions = [root.index(child) for child in root if child.tag in after]
        root.insert(max(positions, default=-1) + 1, label)
    set_text(label, text)
    return serialize(root)


def _required(root: Element, path: str) -> Element:
    found = root.find(path)
    if found is None:
        raise Invalid(f"The document has no <{path}>.")
    return found


def _remove(target: Element) -> None:
    parent = target.getparent()
    if parent is not None:
        parent.remove(target)
