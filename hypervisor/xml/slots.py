"""Which kinds of devices a machine has a free place for while it runs.

A q35 machine takes PCI devices while it runs only in empty root ports, of which it has as many as its definition names;
the watchdog is a conventional PCI device and needs a bridge for such. See libvirt's "PCI topology and hotplug".
"""

from typing import Final

from hypervisor.device_facts import DeviceKind
from hypervisor.xml.elements import Element
from hypervisor.xml.reading import attribute

NIC: Final = "nic"
DISK: Final = "disk"
_PORTS: Final = frozenset({"pcie-root-port", "pcie-switch-downstream-port"})
_BRIDGES: Final = frozenset({"pcie-to-pci-bridge", "dmi-to-pci-bridge", "pci-bridge", "pci-root"})


def pluggable(live: Element) -> tuple[str, ...]:
    """The kinds, `NIC`, `DISK` (on virtio) and of `DeviceKind`, that the document of a run has room for."""
    controllers = [
        (controller.get("type", ""), controller.get("model", ""), controller.get("index", ""))
        for controller in live.iterfind("devices/controller")
    ]
    models = {model for kind, model, _ in controllers if kind == "pci"}
    conventional = bool(models & _BRIDGES)
    kinds = {kind for kind, model, _ in controllers if model != "none"}
    # The first PCI bus of an i440FX machine takes everything.
    express = _has_free_port(live, controllers) or "pci-root" in models
    found = [NIC, DISK, DeviceKind.RNG.value, DeviceKind.PCI.value] if express else []
    found += [DeviceKind.WATCHDOG.value] if conventional else []
    found += [DeviceKind.AGENT.value] if "virtio-serial" in kinds else []
    found += [DeviceKind.USB.value] if "usb" in kinds else []
    return tuple(found)


def _has_free_port(live: Element, controllers: list[tuple[str, str, str]]) -> bool:
    taken = {
        int(bus, 16)
        for address in live.iterfind("devices/*/address[@type='pci']")
        if _is_hex(bus := attribute(address, "bus"))
    }
    ports = [index for kind, model, index in controllers if kind == "pci" and model in _PORTS]
    return any(index.isdecimal() and int(index) not in taken for index in ports)


def _is_hex(text: str) -> bool:
    try:
        return int(text, 16) >= 0
    except ValueError:
        return False
