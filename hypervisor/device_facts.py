"""What libvirt told us of devices: those of a machine beside disks and screens, and those a host could give away.

As in `hypervisor.facts`, every string is hostile text of bounded length.
"""

from dataclasses import dataclass
from enum import StrEnum


class Presence(StrEnum):
    """Where a device of a machine stands: in this run and in the definition, or in one of them only.

    All devices of a machine that is off stand in BOTH.
    """

    BOTH = "both"
    NOW = "now"
    NEXT = "next"


class DeviceKind(StrEnum):
    """The devices that are told apart; other ones are not listed."""

    AGENT = "agent"
    BALLOON = "balloon"
    PCI = "pci"
    RNG = "rng"
    SERIAL = "serial"
    SOUND = "sound"
    USB = "usb"
    VIDEO = "video"
    WATCHDOG = "watchdog"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceFacts:
    """One device. `key` is the same in this run and in the definition, and no other device of the machine has it.

    Two that nothing tells apart but their place share a key; then none of them can be named. `detail` is what was
    chosen for it: a watchdog's action, a limit.
    """

    kind: DeviceKind
    key: str
    model: str
    detail: str
    present: Presence


@dataclass(frozen=True, slots=True, kw_only=True)
class BridgeFacts:
    """A bridge of the host. `ports` are its own interfaces that are plugged in, without those of machines."""

    name: str
    active: bool
    ports: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class HostDeviceFacts:
    """A PCI or USB device of a host; `name` is libvirt's, and changes where a USB device is plugged in elsewhere.

    `address` is "0000:01:00.0", or "3.5" for bus and device. `pci_class` is blank for USB. `iommu_group` is None
    without an IOMMU; `iommu_members` are the addresses of the whole group. `holds` names what the host itself has on
    it, as "disk sda", "interface eth0" (one that has a link), "USB devices" (a hub).
    """

    name: str
    kind: DeviceKind
    address: str
    vendor_id: str
    product_id: str
    vendor: str
    product: str
    pci_class: str
    driver: str
    iommu_group: int | None
    iommu_members: tuple[str, ...]
    holds: tuple[str, ...]
