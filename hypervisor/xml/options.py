"""What a domain's document says of the options that people choose; see https://libvirt.org/formatdomain.html."""

from collections.abc import Iterator
from typing import Final

from hypervisor.facts import OptionFacts
from hypervisor.xml.elements import Element, integer

_TEXT_LIMIT: Final = 256
_KIB_PER_MIB: Final = 1024
# What the classes of `<os><boot dev=…>` stand for.
_CLASSES: Final = {"hd": ("disk", "lun"), "cdrom": ("cdrom",), "fd": ("floppy",)}


def option_facts(root: Element) -> OptionFacts:
    """The options of one document."""
    vcpu = root.find("vcpu")
    maximum = integer(root.findtext("vcpu")) or 1
    current = maximum if vcpu is None else integer(vcpu.get("current")) or maximum
    memory_max_mib = memory_mib(root.find("memory"))
    now = root.find("currentMemory")
    sockets, cores, threads = topology(root)
    return OptionFacts(
        vcpus=current,
        vcpus_max=maximum,
        vcpus_fixed=len(root.findall("vcpus/vcpu[@enabled='yes'][@hotpluggable='no']")) or current,
        memory_mib=memory_max_mib if now is None else memory_mib(now),
        memory_max_mib=memory_max_mib,
        balloon=_balloon(root),
        cpu=cpu(root),
        sockets=sockets,
        cores=cores,
        threads=threads,
        boot=tuple(boot(root)),
        bootable=tuple(name for _, name in bootable(root)),
        firmware=firmware(root),
        tpm=tpm(root),
        clock=clock(root),
    )


def memory_mib(size: Element | None) -> int:
    """0 where there is none. libvirt always answers in KiB, whatever it was told."""
    return 0 if size is None else integer(size.text) // _KIB_PER_MIB


def cpu(root: Element) -> str:
    """The mode of the CPU, or the name of its model; blank where QEMU chooses."""
    found = root.find("cpu")
    if found is None:
        return ""
    mode = found.get("mode", "custom")
    return ((found.findtext("model") or "").strip() if mode == "custom" else mode)[:_TEXT_LIMIT]


def topology(root: Element) -> tuple[int, int, int]:
    """Sockets, cores in each (of all its dies), threads in each; zeros where nothing is said."""
    found = root.find("cpu/topology")
    if found is None:
        return 0, 0, 0
    sockets, dies, cores, threads = (
        integer(found.get(part, "1")) for part in ("sockets", "dies", "cores", "threads")
    )
    return sockets, dies * cores, threads


def boot(root: Element) -> Iterator[str]:
    """What it boots from, first to last. A class of devices (`<boot dev=…>`) is told as the first, as QEMU is."""
    ordered = [
        (order, name)
        for device, name in bootable(root)
        for order in [device.find("boot")]
        if order is not None
    ]
    if ordered:
        for _, name in sorted(ordered, key=lambda pair: integer(pair[0].get("order"))):
            yield name
        return
    for choice in root.iterfind("os/boot"):
        kinds = _CLASSES.get(choice.get("dev", ""), ())
        for device, name in bootable(root):
            kind = device.get("device", "disk") if device.tag == "disk" else ""
            if kind in kinds or (choice.get("dev") == "network" and device.tag == "interface"):
                yield name
                break


def bootable(root: Element) -> Iterator[tuple[Element, str]]:
    """Each disk with its target, each network card with its MAC address (lower case), in the document's order."""
    for disk in root.iterfind("devices/disk"):
        target = disk.find("target")
        if target is not None and target.get("dev"):
            yield disk, target.get("dev", "")[:_TEXT_LIMIT]
    for nic in root.iterfind("devices/interface"):
        mac = nic.find("mac")
        if mac is not None and mac.get("address"):
            yield nic, mac.get("address", "").lower()[:_TEXT_LIMIT]


def firmware(root: Element) -> str:
    """ "bios", "uefi" or "uefi-secure": as it was asked for, or as libvirt has chosen it for this run."""
    os, loader = root.find("os"), root.find("os/loader")
    if (os is None or os.get("firmware") != "efi") and (loader is None or loader.get("type") != "pflash"):
        return "bios"
    wanted = root.find("os/firmware/feature[@name='secure-boot'][@enabled='yes']")
    secure = wanted is not None or (loader is not None and loader.get("secure") == "yes")
    return "uefi-secure" if secure else "uefi"


def tpm(root: Element) -> str:
    """The version of its TPM, "other" for one that is the host's own, blank without one."""
    found = root.find("devices/tpm")
    if found is None:
        return ""
    backend = found.find("backend")
    if backend is None or backend.get("type") != "emulator":
        return "other"
    return backend.get("version", "default")[:_TEXT_LIMIT]


def clock(root: Element) -> str:
    """What the guest's clock starts with: libvirt's offset, or the name of a time zone."""
    found = root.find("clock")
    if found is None:
        return "utc"
    offset = found.get("offset", "utc")
    return (found.get("timezone", "") if offset == "timezone" else offset)[:_TEXT_LIMIT]


def _balloon(root: Element) -> bool:
    found = root.find("devices/memballoon")
    return found is not None and found.get("model") != "none"
