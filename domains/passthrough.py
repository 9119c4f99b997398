"""Which devices of its host a machine can be given, and why the others can't."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Final

from domains.models import Domain, DomainDevice
from hosts.models import HostDevice
from hypervisor.device_facts import DeviceKind
from hypervisor.device_specs import DeviceSpec, PciSpec, UsbSpec
from hypervisor.xml.peripherals import key_for
from operations.models import Operation

# PCI classes 06…: bridges, the host's own board.
_BRIDGE: Final = "06"
# Those that let go of a device by themselves, as VFIO needs it for every device of a group.
_YIELDING: Final = frozenset({"", "vfio-pci", "pcieport"})
# The Linux Foundation's: the host's own USB ports.
_ROOT_HUB: Final = "1d6b"


@dataclass(frozen=True, slots=True)
class Offer:
    """A device of the host; `reason` says why it can't be given to the machine, blank where it can."""

    device: HostDevice
    reason: str

    @property
    def words(self) -> str:
        """What it is."""
        device = self.device
        named = " ".join(word for word in (device.vendor, device.product) if word)
        return named or f"{device.vendor_id}:{device.product_id}"


def key_of(device: HostDevice) -> str:
    """As `DeviceFacts.key` has it."""
    if device.kind == DeviceKind.PCI:
        return f"pci:{device.address}"
    return f"usb:{device.vendor_id}:{device.product_id}"


def params_of(device: HostDevice) -> dict[str, str]:
    """What an operation keeps of it, for `spec`."""
    return {name: getattr(device, name) for name in ("kind", "address", "vendor_id", "product_id")}


def spec(params: dict[str, str]) -> DeviceSpec:
    """As libvirt is asked for it."""
    if params["kind"] == DeviceKind.PCI:
        return PciSpec(address=params["address"])
    return UsbSpec(vendor_id=params["vendor_id"], product_id=params["product_id"])


def offers(domain: Domain) -> list[Offer]:
    """Every device of the machine's host. Four queries."""
    # Before who has one: an operation that ends in between has written down what it gave.
    asked = _asked(domain)
    devices = list(HostDevice.objects.present().filter(host=domain.host))
    keys = {key_of(device) for device in devices}
    held = DomainDevice.objects.filter(key__in=keys, domain__host=domain.host, domain__gone_at=None)
    holders = asked | {device.key: device.domain for device in held.select_related("domain")}
    known = {device.address: device for device in devices if device.kind == DeviceKind.PCI}
    alike = Counter(map(key_of, devices))
    return [
        Offer(
            device,
            _taken(domain, holders.get(key_of(device)))
            or (
                _pci_reason(device, known, holders, domain)
                if device.kind == DeviceKind.PCI
                else _usb_reason(device, alike)
            ),
        )
        for device in devices
    ]


def _asked(domain: Domain) -> dict[str, Domain]:
    """Which other machines of the host are being given a device now, by its key."""
    kind, host = "domain.hostdev.attach", str(domain.host.uuid)
    active = Operation.objects.active().filter(kind=kind, params__host=host).exclude(target_id=domain.uuid)
    keys = {operation.target_id: key_for(spec(operation.params["spec"])) for operation in active}
    return {keys[one.uuid]: one for one in Domain.objects.filter(uuid__in=keys)}


def _taken(domain: Domain, holder: Domain | None) -> str:
    if holder is None:
        return ""
    return "This machine has it." if holder.pk == domain.pk else f"{holder.name} has it."


def _usb_reason(device: HostDevice, alike: Counter[str]) -> str:
    if device.vendor_id == _ROOT_HUB or device.holds:
        return "It is a hub: give what is plugged into it instead."
    if alike[key_of(device)] > 1:
        return "The host has several such devices, and nothing tells them apart."
    return ""


def _pci_reason(
    device: HostDevice, known: dict[str, HostDevice], holders: dict[str, Domain], domain: Domain
) -> str:
    if device.pci_class.startswith(_BRIDGE):
        return "It is part of the host's own board."
    if device.holds:
        return f"The host uses it: {', '.join(device.holds)}."
    if device.iommu_group is None:
        return "The host has no IOMMU, or it is off: turn on VT-d or AMD-Vi in its firmware and its kernel."
    for address in device.iommu_members:
        other = known.get(address)
        if other is None or other.pk == device.pk or other.pci_class.startswith(_BRIDGE):
            continue
        holder = holders.get(key_of(other))
        if holder is not None and holder.pk != domain.pk:
            return f"It shares IOMMU group {device.iommu_group} with {address}, which {holder.name} has."
        if other.driver not in _YIELDING and holder is None:
            return (
                f"It shares IOMMU group {device.iommu_group} with {address}, "
                f"which the host's driver {other.driver} uses."
            )
    return ""
