"""A machine's network cards and other devices as the tab "Hardware", its live pieces and its forms show them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final

from accounts.models import User
from accounts.permissions import Verb
from accounts.scoping import allowed
from domains.device_wishes import COLD, FIXED, OF_HOST, WORDS
from domains.lifecycle import RULES, refusal
from domains.machine import plain
from domains.models import Domain, DomainDevice, DomainNic, Presence
from domains.passthrough import key_of
from hosts.models import HostDevice
from hypervisor.device_facts import DeviceKind

# A host may tell any address or key; only such as these can stand in the address of a page.
_NAMED: Final = re.compile(r"[\w:.@+-]{1,255}", re.ASCII)
_MAC: Final = re.compile(r"[0-9A-Fa-f]{2}(:[0-9A-Fa-f]{2}){5}")
_PENDING: Final = {
    "source": "in {}",
    "model": "model {}",
    "inbound_kib_s": "receives ≤ {} KiB/s",
    "outbound_kib_s": "sends ≤ {} KiB/s",
}
_LINKS: Final = {"True": "link up", "False": "link down"}
_LATER: Final = "It runs, and has no free place for such a device: it gets it with its next start."
_COLD: Final = "It runs, and takes such a device in only when it starts: it gets it with its next start."


@dataclass(frozen=True, slots=True)
class Card:
    """A network card."""

    nic: DomainNic
    named: bool

    @property
    def place(self) -> str:
        """What kind of thing it is plugged into."""
        return {"network": "network", "bridge": "bridge of the host"}.get(self.nic.kind, self.nic.kind)

    @property
    def limits(self) -> list[str]:
        """In words; none without."""
        ways = {"receives": self.nic.inbound_kib_s, "sends": self.nic.outbound_kib_s}
        return [f"{way} ≤ {kib_s:,} KiB/s" for way, kib_s in ways.items() if kib_s]

    @property
    def later(self) -> list[str]:
        """What the next start changes, in words."""
        pending = [words for name, value in self.nic.pending if (words := _pending(name, value))]
        told = [f"After its next start: {', '.join(pending)}"] if pending else []
        return _presence(self.nic.present) + told


@dataclass(frozen=True, slots=True)
class Device:
    """Another device; `place` says which of its host's it is."""

    device: DomainDevice
    place: str
    may: bool
    refusal: str

    @property
    def words(self) -> str:
        """What it is."""
        return WORDS[DeviceKind(self.device.kind)]

    @property
    def later(self) -> list[str]:
        """What the next start changes, in words."""
        return _presence(self.device.present)

    @property
    def of_host(self) -> bool:
        """Whether its host gave it."""
        return self.device.kind in OF_HOST

    @property
    def is_video(self) -> bool:
        """Whether it can only be changed."""
        return self.device.kind == DeviceKind.VIDEO

    @property
    def named(self) -> bool:
        """Whether it can be taken out by its key."""
        return self.device.kind not in FIXED and _NAMED.fullmatch(self.device.key) is not None


def cards(user: User, domain: Domain) -> dict[str, Any]:
    """What `domains/_hardware_nics.html` shows."""
    shown = [Card(nic, _MAC.fullmatch(nic.mac) is not None) for nic in domain.nics.all()]
    return plain(user, domain) | {
        "cards": shown,
        "may": allowed(user, Verb.DOMAIN_EDIT, domain),
        "add_refusal": refusal("domain.nic.add", domain),
        "change_refusal": refusal("domain.nic.change", domain),
        "detach_refusal": refusal("domain.nic.detach", domain),
        "detach": RULES["domain.nic.detach"],
    }


def devices(user: User, domain: Domain) -> dict[str, Any]:
    """What `domains/_hardware_devices.html` shows."""
    may, may_give = (allowed(user, verb, domain) for verb in (Verb.DOMAIN_EDIT, Verb.DOMAIN_PASSTHROUGH))
    ways = {
        kind: refusal(kind, domain)
        for kind in ("domain.device.detach", "domain.hostdev.detach", "domain.device.change")
    }
    seen = list(domain.devices.all())
    names = _names(domain) if any(device.kind in OF_HOST for device in seen) else {}
    shown = []
    for device in seen:
        ours = device.kind in OF_HOST
        way = "domain.device.change" if device.kind == DeviceKind.VIDEO else "domain.device.detach"
        why = ways["domain.hostdev.detach" if ours else way]
        shown.append(Device(device, names.get(device.key, ""), may_give if ours else may, why))
    return plain(user, domain) | {
        "devices": shown,
        "may": may,
        "may_give": may_give,
        "add_refusal": refusal("domain.device.add", domain),
        "detach": RULES["domain.device.detach"],
        "give_back": RULES["domain.hostdev.detach"],
    }


def later(domain: Domain, kind: str) -> str:
    """What is said before a device of `kind` is asked for; blank where it comes at once."""
    if not domain.held or kind in domain.pluggable:
        return ""
    return _COLD if kind in COLD else _LATER


def _names(domain: Domain) -> dict[str, str]:
    """The host's devices by their keys, in words."""
    found = HostDevice.objects.present().filter(host=domain.host)
    return {key_of(one): " ".join(filter(None, (one.vendor, one.product))) for one in found}


def _presence(present: str) -> list[str]:
    return [] if present == Presence.BOTH else [Presence(present).label]


def _pending(name: str, value: str) -> str:
    if name == "link_up":
        return _LINKS.get(value, "")
    words = _PENDING.get(name, "")
    return "without a limit" if words.endswith("KiB/s") and value == "0" else words.format(value)
