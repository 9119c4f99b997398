"""Changes to a definition that exists: the named element changes, everything else stays as it was.

The document to start from is the inactive one with secrets (`VIR_DOMAIN_XML_INACTIVE | VIR_DOMAIN_XML_SECURE`);
without secrets, defining it again would lose the VNC password. Pure functions: a document in, a document out.
Each raises `Invalid` for a document that is none and `NotFound` for a device that is not there.
"""

from collections.abc import Mapping

from hypervisor.errors import NotFound, Unsupported
from hypervisor.xml.elements import Element, document, element, required, serialize, set_attribute, set_text


def set_name(xml: str, name: str) -> str:
    """Another name. libvirt takes it only together with another UUID or through `virDomainRename`."""
    root = document(xml)
    set_text(required(root, "name"), name)
    return serialize(root)


def set_media(xml: str, *, target: str, path: str | None) -> str:
    """Another medium, or None, in the CD-ROM or floppy drive `target`."""
    root = document(xml)
    _change_medium(_drive(root, target), path)
    return serialize(root)


def media_device(xml: str, *, target: str, path: str | None) -> str:
    """The CD-ROM or floppy drive `target` alone, with another medium: what a running domain is updated with."""
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


def set_macs(xml: str, macs: Mapping[str, str]) -> str:
    """Other addresses for the network cards that have those on the left now."""
    root = document(xml)
    for mac in root.iterfind("devices/interface/mac"):
        other = macs.get(mac.get("address", "").lower())
        if other is not None:
            set_attribute(mac, "address", other)
    return serialize(root)


def has_tpm(xml: str) -> bool:
    """Whether it has a TPM, whose state its host keeps."""
    return document(xml).find("devices/tpm") is not None


def has_state(xml: str) -> bool:
    """Whether its host keeps something of it beside disks: UEFI's variables, or a TPM's state."""
    root = document(xml)
    return root.find("os/nvram") is not None or root.find("devices/tpm") is not None


def _change_medium(drive: Element, path: str | None) -> None:
    """A file in place of whatever was there; what described the old medium goes with it."""
    for stale in [found for tag in ("source", "backingStore") for found in drive.iterfind(tag)]:
        _remove(stale)
    set_attribute(drive, "type", "file")
    if path is not None:
        position = drive.index(required(drive, "target"))
        drive.insert(position, element("source", attributes={"file": path}))


def _drive(root: Element, target: str) -> Element:
    for drive in root.iterfind("devices/disk"):
        if drive.get("device") in ("cdrom", "floppy") and required(drive, "target").get("dev") == target:
            return drive
    raise NotFound(f"The domain has no drive {target}.")


def _remove(target: Element) -> None:
    parent = target.getparent()
    if parent is not None:
        parent.remove(target)
