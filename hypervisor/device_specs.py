"""Devices that a machine can be given, beside disks, network cards and screens: as `hypervisor.specs`, frozen."""

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from hypervisor.specs import NicSpec


class WatchdogAction(StrEnum):
    """What QEMU does to a guest that its own watchdog found hanging."""

    RESET = "reset"
    POWEROFF = "poweroff"
    PAUSE = "pause"
    NONE = "none"
    INJECT_NMI = "inject-nmi"


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchdogSpec:
    """An i6300esb, the model that current guests drive."""

    action: WatchdogAction = WatchdogAction.RESET


@dataclass(frozen=True, slots=True, kw_only=True)
class RngSpec:
    """Random numbers of the host by virtio; `rate_bytes_s` is the most a guest may take, 0 without a limit."""

    rate_bytes_s: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class SerialSpec:
    """A serial port that a console can be opened on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SoundSpec:
    """Intel's ICH9 sound."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentSpec:
    """The channel of QEMU's guest agent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PciSpec:
    """A PCI device of the host, as "0000:01:00.0"; libvirt takes it from its driver, and gives it back."""

    address: str


@dataclass(frozen=True, slots=True, kw_only=True)
class UsbSpec:
    """A USB device of the host by what it is, as "046d" and "c52b": it may be plugged in elsewhere."""

    vendor_id: str
    product_id: str


DeviceSpec: TypeAlias = (
    NicSpec | WatchdogSpec | RngSpec | SerialSpec | SoundSpec | AgentSpec | PciSpec | UsbSpec
)
