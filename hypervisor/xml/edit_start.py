"""What a machine finds when it starts: devices to boot from, firmware, TPM, clock. As `hypervisor.xml.edit`.

What is so already stays as it is written, so that the same change twice is one.
"""

from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import Final

from lxml import etree

from hypervisor.errors import NotFound, Unsupported
from hypervisor.specs import Firmware
from hypervisor.xml import options
from hypervisor.xml.elements import Element, document, element, integer, required, serialize, set_attribute

# libvirt's own folder for them, where it is the system's.
_NVRAM_FOLDER: Final = PurePosixPath("/var/lib/libvirt/qemu/nvram")
_OFFSETS: Final = ("utc", "localtime")
# What `<clock>` says beside its offset, and what means another thing with another one.
_OF_OFFSETS: Final = ("timezone", "adjustment", "basis", "start")


def set_boot_order(xml: str, *, devices: Sequence[str]) -> str:
    """Boot from these devices, in this order, and from no other disk or network card.

    A disk is named by its target (`vda`), a network card by its MAC address. What else may be booted from (a USB
    stick of the host) comes behind them. Raises `NotFound` for a device that is not there.
    """
    root = document(xml)
    wanted = list(dict.fromkeys(name.lower() if ":" in name else name for name in devices))
    if list(options.boot(root)) == wanted:
        return serialize(root)
    named = {name: device for device, name in options.bootable(root)}
    missing = [name for name in wanted if name not in named]
    if missing:
        raise NotFound(f"The domain has no disk or network card {missing[0]}.")
    chosen = [named[name] for name in wanted]
    others = [device for device in root.iterfind("devices/*[boot]") if device not in named.values()]
    others.sort(key=lambda device: integer(required(device, "boot").get("order")))
    for device in named.values():
        for stale in device.findall("boot") if device not in chosen else ():
            device.remove(stale)
    for stale in root.findall("os/boot"):
        required(root, "os").remove(stale)
    for order, device in enumerate([*chosen, *others], start=1):
        boot = device.find("boot")
        if boot is None:
            boot = element("boot")
            device.append(boot)
        set_attribute(boot, "order", str(order))
    return serialize(root)


def boot_first(xml: str, *, device: str) -> str:
    """The boot order with `device` before all others; as `set_boot_order`."""
    order = options.boot(document(xml))
    return set_boot_order(xml, devices=[device, *order])


def set_firmware(xml: str, *, firmware: str, nvram: str) -> str:
    """One of `Firmware`; libvirt finds the image of that kind. `nvram` is the name of a file for UEFI's variables.

    A new file, because libvirt never replaces one that is there: variables without keys would leave secure boot off.
    It lies beside the old one, which stays.
    """
    root = document(xml)
    if options.firmware(root) == firmware:
        return serialize(root)
    os = required(root, "os")
    old = (os.findtext("nvram") or "").strip()
    folder = PurePosixPath(old).parent if old.startswith("/") else _NVRAM_FOLDER
    os.attrib.pop("firmware", None)
    for stale in [child for child in os if child.tag in ("firmware", "loader", "nvram")]:
        os.remove(stale)
    if firmware == Firmware.BIOS:
        return serialize(root)
    secure = "yes" if firmware == Firmware.UEFI_SECURE else "no"
    features = [
        element("feature", attributes={"enabled": secure, "name": name})
        for name in ("enrolled-keys", "secure-boot")
    ]
    set_attribute(os, "firmware", "efi")
    required(os, "type").addnext(element("firmware", *features))
    required(os, "firmware").addnext(element("nvram", text=str(folder / nvram)))
    if secure == "yes":
        _set_smm(root)
    return serialize(root)


def set_tpm(xml: str, *, tpm: bool) -> str:
    """An emulated TPM 2.0, or none. Raises `Unsupported` where the domain has the host's own TPM."""
    root = document(xml)
    before = options.tpm(root)
    if before == "other":
        raise Unsupported("The domain has a TPM that isn't emulated; the definition alone can change that.")
    devices = required(root, "devices")
    if tpm and not before:
        backend = element("backend", attributes={"type": "emulator", "version": "2.0"})
        devices.append(element("tpm", backend, attributes={"model": "tpm-crb"}))
    if not tpm:
        for stale in devices.findall("tpm"):
            devices.remove(stale)
    return serialize(root)


def set_clock(xml: str, *, clock: str) -> str:
    """ "utc", "localtime" (that of the host), or the name of a time zone. The timers stay."""
    root = document(xml)
    if options.clock(root) == clock:
        return serialize(root)
    found = root.find("clock")
    if found is None:
        found = etree.Element("clock")
        required(root, "os").addnext(found)
    for name in _OF_OFFSETS:
        found.attrib.pop(name, None)
    set_attribute(found, "offset", clock if clock in _OFFSETS else "timezone")
    if clock not in _OFFSETS:
        set_attribute(found, "timezone", clock)
    return serialize(root)


def _set_smm(root: Element) -> None:
    """Secure boot keeps its variables from the guest's kernel by the CPU's system management mode."""
    features = root.find("features")
    if features is None:
        features = element("features")
        required(root, "os").addnext(features)
    smm = features.find("smm")
    if smm is None:
        smm = element("smm")
        features.append(smm)
    set_attribute(smm, "state", "on")
