"""Documents for libvirt, built from specs element by element; see https://libvirt.org/format.html.

What a spec leaves out, libvirt or QEMU decides.
"""

from typing import Final

from lxml import etree

from hypervisor.limits import IoLimits
from hypervisor.specs import (
    BackingSpec,
    CdromSpec,
    CpuMode,
    DiskBus,
    DiskSpec,
    DomainSpec,
    Firmware,
    ImageFormat,
    NatNetworkSpec,
    NicSpec,
    TimerSpec,
    VncSpec,
    VolumeSpec,
)
from hypervisor.xml.elements import (
    MARKER_NAMESPACE,
    MARKER_PREFIX,
    MARKER_TAG,
    Element,
    element,
    serialize,
    set_attribute,
)

AGENT_CHANNEL: Final = "org.qemu.guest_agent.0"
# How often, in seconds, the guest says how much of its memory it uses; without that only its host does.
_BALLOON_STATS_S: Final = 10
_VNC_TIME: Final = "%Y-%m-%dT%H:%M:%S"


def domain_xml(spec: DomainSpec) -> str:
    """The definition of a virtual machine; holds its VNC password."""
    root = element("domain", attributes={"type": spec.accelerator.value})
    root.append(element("name", text=spec.name))
    root.append(element("uuid", text=str(spec.uuid)))
    if spec.title:
        root.append(element("title", text=spec.title))
    if spec.description:
        root.append(element("description", text=spec.description))
    if spec.marker:
        root.append(element("metadata", marker(spec.marker)))
    root.append(element("memory", text=str(spec.memory_mib), attributes={"unit": "MiB"}))
    root.append(element("vcpu", text=str(spec.vcpus)))
    root.append(_os(spec))
    root.append(_features(spec))
    if spec.cpu is not CpuMode.QEMU_DEFAULT:
        root.append(element("cpu", attributes={"mode": spec.cpu.value}))
    clock = element("clock", attributes={"offset": spec.clock.value})
    clock.extend(_timer(timer) for timer in spec.timers)
    root.append(clock)
    root.append(element("on_poweroff", text=spec.on_poweroff.value))
    root.append(element("on_reboot", text=spec.on_reboot.value))
    root.append(element("on_crash", text=spec.on_crash.value))
    root.append(_devices(spec))
    return serialize(root)


def marker(word: str) -> Element:
    """The element under `<metadata>` that says whose domain this is."""
    made = etree.Element(MARKER_TAG, nsmap={MARKER_PREFIX: MARKER_NAMESPACE})
    set_attribute(made, "marker", word)
    return made


def graphics(spec: VncSpec) -> Element:
    """A VNC screen on a port that libvirt chooses. Never a keymap: it breaks the key handling of noVNC."""
    expires = spec.password_expires_at.strftime(_VNC_TIME)
    return element(
        "graphics",
        element("listen", attributes={"type": "address", "address": spec.listen}),
        attributes={"type": "vnc", "autoport": "yes", "passwd": spec.password, "passwdValidTo": expires},
    )


def agent_channel() -> Element:
    """The line to the guest agent; libvirt makes its socket."""
    target = element("target", attributes={"type": "virtio", "name": AGENT_CHANNEL})
    return element("channel", target, attributes={"type": "unix"})


def volume_xml(spec: VolumeSpec) -> str:
    """An empty volume, or one that is based on another file."""
    # Left to itself libvirt makes a qcow2 of version 2, as QEMU wrote them before 2013.
    version = [element("compat", text="1.1")] if spec.format is ImageFormat.QCOW2 else []
    return serialize(
        element(
            "volume",
            element("name", text=spec.name),
            element("capacity", text=str(spec.capacity_bytes), attributes={"unit": "bytes"}),
            element("allocation", text=str(spec.allocation_bytes), attributes={"unit": "bytes"}),
            element("target", element("format", attributes={"type": spec.format.value}), *version),
            *([] if spec.backing is None else [_backing(spec.backing)]),
        )
    )


def _backing(spec: BackingSpec) -> Element:
    kind = element("format", attributes={"type": spec.format.value})
    return element("backingStore", element("path", text=spec.path), kind)


def dir_pool_xml(*, uuid: str, name: str, path: str) -> str:
    """A storage pool that is a directory."""
    return serialize(
        element(
            "pool",
            element("name", text=name),
            element("uuid", text=uuid),
            element("target", element("path", text=path)),
            attributes={"type": "dir"},
        )
    )


def nat_network_xml(spec: NatNetworkSpec) -> str:
    """A network behind the host's own address."""
    dhcp = element("range", attributes={"start": str(spec.dhcp_first), "end": str(spec.dhcp_last)})
    address = {"address": str(spec.gateway.ip), "netmask": str(spec.gateway.netmask)}
    return serialize(
        element(
            "network",
            element("name", text=spec.name),
            element("uuid", text=str(spec.uuid)),
            element("forward", attributes={"mode": "nat"}),
            element("bridge", attributes={"name": spec.bridge}),
            element("ip", element("dhcp", dhcp), attributes=address),
        )
    )


def _os(spec: DomainSpec) -> Element:
    os = element("os", element("type", text="hvm", attributes={"machine": spec.machine}))
    if spec.firmware is not Firmware.BIOS:
        secure = "yes" if spec.firmware is Firmware.UEFI_SECURE else "no"
        os.set("firmware", "efi")
        choice = [
            element("feature", attributes={"name": name, "enabled": secure})
            for name in ("secure-boot", "enrolled-keys")
        ]
        os.append(element("firmware", *choice))
    return os


def _features(spec: DomainSpec) -> Element:
    features = element("features", element("acpi"), element("apic"))
    if spec.firmware is Firmware.UEFI_SECURE:
        features.append(element("smm", attributes={"state": "on"}))
    return features


def _timer(spec: TimerSpec) -> Element:
    attributes = {"name": spec.name}
    if spec.tick_policy:
        attributes["tickpolicy"] = spec.tick_policy
    if spec.present is not None:
        attributes["present"] = "yes" if spec.present else "no"
    return element("timer", attributes=attributes)


def _devices(spec: DomainSpec) -> Element:
    devices = element("devices", *_pci(spec.root_ports))
    buses = {*(disk.bus for disk in spec.disks), *(cdrom.bus for cdrom in spec.cdroms)}
    if DiskBus.SCSI in buses:
        devices.append(scsi_controller())
    devices.extend(disk(one) for one in spec.disks)
    devices.extend(cdrom(one) for one in spec.cdroms)
    devices.extend(nic(card) for card in spec.nics)
    if spec.serial_console:
        devices.append(element("serial", attributes={"type": "pty"}))
        target = element("target", attributes={"type": "serial"})
        devices.append(element("console", target, attributes={"type": "pty"}))
    if spec.guest_agent:
        # Named, because libvirt would add it at the end and sort it at the next start: the definition would change.
        devices.insert(0, element("controller", attributes={"type": "virtio-serial", "index": "0"}))
        devices.append(agent_channel())
    if spec.tablet:
        devices.append(element("input", attributes={"type": "tablet", "bus": "usb"}))
    if spec.vnc is not None:
        devices.append(graphics(spec.vnc))
        devices.append(element("video", element("model", attributes={"type": spec.video.value})))
    devices.append(_balloon(spec))
    if spec.rng:
        backend = element("backend", text="/dev/urandom", attributes={"model": "random"})
        devices.append(element("rng", backend, attributes={"model": "virtio"}))
    return devices


def _pci(root_ports: int) -> list[Element]:
    """The root and its ports, numbered by libvirt."""
    if not root_ports:
        return []
    root = element("controller", attributes={"type": "pci", "index": "0", "model": "pcie-root"})
    port = {"type": "pci", "model": "pcie-root-port"}
    return [root, *(element("controller", attributes=port) for _ in range(root_ports))]


def scsi_controller() -> Element:
    """What SCSI disks are plugged into. Not named, libvirt would choose one that many guests have no driver for."""
    return element("controller", attributes={"type": "scsi", "index": "0", "model": "virtio-scsi"})


def _balloon(spec: DomainSpec) -> Element:
    """Left out, libvirt would add one."""
    if not spec.balloon:
        return element("memballoon", attributes={"model": "none"})
    told = element("stats", attributes={"period": str(_BALLOON_STATS_S)})
    return element("memballoon", told, attributes={"model": "virtio"})


def disk(spec: DiskSpec) -> Element:
    """A disk that lies in a file."""
    driver = {
        "name": "qemu",
        "type": spec.format.value,
        "cache": spec.cache.value,
        "discard": spec.discard.value,
    }
    made = element(
        "disk",
        element("driver", attributes=driver),
        element("source", attributes={"file": spec.path}),
        element("backingStore"),
        element("target", attributes={"dev": spec.target, "bus": spec.bus.value}),
        attributes={"type": "file", "device": "disk"},
    )
    made.extend(iotune(spec.limits))
    if spec.shareable:
        made.append(element("shareable"))
    if spec.serial:
        made.append(element("serial", text=spec.serial))
    _append_boot(made, spec.boot_order)
    return made


def iotune(limits: IoLimits) -> list[Element]:
    """The element that slows a disk down; none without a limit."""
    values = {
        "read_bytes_sec": limits.read_bytes_s,
        "write_bytes_sec": limits.write_bytes_s,
        "read_iops_sec": limits.read_iops,
        "write_iops_sec": limits.write_iops,
    }
    told = [element(name, text=str(value)) for name, value in values.items() if value]
    return [element("iotune", *told)] if told else []


def cdrom(spec: CdromSpec) -> Element:
    """A CD-ROM drive."""
    drive = element(
        "disk",
        element("driver", attributes={"name": "qemu", "type": "raw"}),
        attributes={"type": "file", "device": "cdrom"},
    )
    if spec.path is not None:
        drive.append(element("source", attributes={"file": spec.path}))
    drive.append(element("target", attributes={"dev": spec.target, "bus": spec.bus.value}))
    drive.append(element("readonly"))
    _append_boot(drive, spec.boot_order)
    return drive


def nic(spec: NicSpec) -> Element:
    """A network card."""
    made = element(
        "interface",
        element("mac", attributes={"address": spec.mac}),
        element("source", attributes={spec.kind.value: spec.source}),
        element("model", attributes={"type": spec.model.value}),
        attributes={"type": spec.kind.value},
    )
    if not spec.link_up:
        made.append(element("link", attributes={"state": "down"}))
    made.extend(bandwidth(inbound_kib_s=spec.inbound_kib_s, outbound_kib_s=spec.outbound_kib_s))
    _append_boot(made, spec.boot_order)
    return made


def bandwidth(*, inbound_kib_s: int, outbound_kib_s: int) -> list[Element]:
    """The element that limits a network card, as the host sees its directions; none without a limit."""
    limits = {"inbound": inbound_kib_s, "outbound": outbound_kib_s}
    told = [element(way, attributes={"average": str(kib_s)}) for way, kib_s in limits.items() if kib_s]
    return [element("bandwidth", *told)] if told else []


def _append_boot(device: Element, order: int | None) -> None:
    if order is not None:
        device.append(element("boot", attributes={"order": str(order)}))
