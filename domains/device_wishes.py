"""What people may ask of a machine's cards and devices, as operations keep it, and as libvirt is asked for it."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, Final, Self

from core.errors import InvalidInput
from hypervisor.device_facts import DeviceKind
from hypervisor.device_specs import (
    AgentSpec,
    DeviceSpec,
    RngSpec,
    SerialSpec,
    SoundSpec,
    WatchdogAction,
    WatchdogSpec,
)
from hypervisor.specs import NetworkSource, NicChange, NicModel, NicSpec

# More than any line has, and less than libvirt's units hold.
MOST_KIB_S: Final = 100_000_000
MOST_RNG_BYTES_S: Final = 2**31 - 1
_MAC: Final = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}")
_MULTICAST: Final = 1

# Those that can be added by a person, with the words for them.
ADDABLE: Final = {
    DeviceKind.AGENT: "Guest agent channel",
    DeviceKind.RNG: "Random number generator (virtio)",
    DeviceKind.SERIAL: "Serial port",
    DeviceKind.SOUND: "Sound (ICH9)",
    DeviceKind.WATCHDOG: "Watchdog (i6300esb)",
}
WORDS: Final = ADDABLE | {
    DeviceKind.BALLOON: "Memory balloon",
    DeviceKind.PCI: "PCI device of the host",
    DeviceKind.USB: "USB device of the host",
    DeviceKind.VIDEO: "Video card",
}
# A machine keeps these.
FIXED: Final = frozenset({DeviceKind.BALLOON, DeviceKind.VIDEO})
OF_HOST: Final = frozenset({DeviceKind.PCI, DeviceKind.USB})
# What QEMU never takes in or lets go of while a machine runs.
COLD: Final = frozenset({DeviceKind.SERIAL, DeviceKind.SOUND, DeviceKind.VIDEO})
VIDEO_MODELS: Final = ("virtio", "qxl", "vga", "bochs")


def parsed_mac(text: str) -> str:
    """A card's address in libvirt's spelling. Raises InvalidInput for none, and for one of a group of cards."""
    mac = text.strip().lower().replace("-", ":")
    if not _MAC.fullmatch(mac) or mac == "00:00:00:00:00:00":
        raise InvalidInput("A MAC address looks like 52:54:00:1a:2b:3c.", field="mac")
    if int(mac[:2], 16) & _MULTICAST:
        raise InvalidInput(
            "This MAC address is a multicast one: no card can have it. Its second digit must be even.",
            field="mac",
        )
    return mac


@dataclass(frozen=True, slots=True, kw_only=True)
class NewNic:
    """A network card to be added; `mac` is chosen by the panel where it is blank."""

    kind: str
    source: str
    mac: str = ""
    model: str = NicModel.VIRTIO.value
    link_up: bool = True
    inbound_kib_s: int = 0
    outbound_kib_s: int = 0

    def checked(self) -> Self:
        """Itself. Raises InvalidInput, which names the field."""
        _check_choice(self.kind, NetworkSource, "kind", "A card is plugged into a network or a bridge.")
        _check_choice(self.model, NicModel, "model", "There is no such model of a card.")
        _check_limits(self.inbound_kib_s, self.outbound_kib_s)
        return self

    def spec(self) -> NicSpec:
        """As libvirt is asked for it."""
        return NicSpec(
            kind=NetworkSource(self.kind),
            source=self.source,
            mac=self.mac,
            model=NicModel(self.model),
            link_up=self.link_up,
            inbound_kib_s=self.inbound_kib_s,
            outbound_kib_s=self.outbound_kib_s,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class NicWish:
    """What becomes different about a card; None stays as it is. `kind` and `source` go together."""

    kind: str | None = None
    source: str | None = None
    model: str | None = None
    link_up: bool | None = None
    inbound_kib_s: int | None = None
    outbound_kib_s: int | None = None

    def checked(self) -> Self:
        """Itself. Raises InvalidInput, which names the field."""
        if (self.kind is None) != (not self.source):
            raise InvalidInput("Say both the kind and the name of what it is plugged into.", field="source")
        if self.kind is not None:
            _check_choice(self.kind, NetworkSource, "kind", "A card is plugged into a network or a bridge.")
        if self.model is not None:
            _check_choice(self.model, NicModel, "model", "There is no such model of a card.")
        _check_limits(self.inbound_kib_s or 0, self.outbound_kib_s or 0)
        if self == type(self)():
            raise InvalidInput("Nothing is to be changed.", field="source")
        return self

    def change(self) -> NicChange:
        """As libvirt is asked for it."""
        return NicChange(
            kind=NetworkSource(self.kind) if self.kind else None,
            source=self.source,
            model=NicModel(self.model) if self.model else None,
            link_up=self.link_up,
            inbound_kib_s=self.inbound_kib_s,
            outbound_kib_s=self.outbound_kib_s,
        )

    def told(self) -> dict[str, Any]:
        """What changes alone, for the audit log."""
        return {name: value for name, value in asdict(self).items() if value is not None}


@dataclass(frozen=True, slots=True, kw_only=True)
class NewDevice:
    """Another device to be added; what its kind does not know is left alone. `rate_bytes_s` 0 is no limit."""

    kind: str
    action: str = WatchdogAction.RESET.value
    rate_bytes_s: int = 0

    def checked(self) -> Self:
        """Itself. Raises InvalidInput, which names the field."""
        if self.kind not in ADDABLE:
            raise InvalidInput("There is no such device.", field="device")
        _check_choice(self.action, WatchdogAction, "action", "A watchdog can't do this.")
        if not 0 <= self.rate_bytes_s <= MOST_RNG_BYTES_S:
            raise InvalidInput(f"Between 0 and {MOST_RNG_BYTES_S} bytes/s.", field="rate_bytes_s")
        return self

    def spec(self) -> DeviceSpec:
        """As libvirt is asked for it. Raises KeyError for a kind that can't be added."""
        made: dict[str, DeviceSpec] = {
            DeviceKind.AGENT: AgentSpec(),
            DeviceKind.RNG: RngSpec(rate_bytes_s=self.rate_bytes_s),
            DeviceKind.SERIAL: SerialSpec(),
            DeviceKind.SOUND: SoundSpec(),
            DeviceKind.WATCHDOG: WatchdogSpec(action=WatchdogAction(self.action)),
        }
        return made[self.kind]


def _check_choice(value: str, choices: type[StrEnum], field: str, words: str) -> None:
    if value not in tuple(choices):
        raise InvalidInput(words, field=field)


def _check_limits(inbound_kib_s: int, outbound_kib_s: int) -> None:
    for field, value in (("inbound_kib_s", inbound_kib_s), ("outbound_kib_s", outbound_kib_s)):
        if not 0 <= value <= MOST_KIB_S:
            raise InvalidInput(f"Between 0 (no limit) and {MOST_KIB_S} KiB/s.", field=field)
