"""What can be chosen of a machine: what it is by its definition, what it is now, and what its next start changes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from core.units import human_mib
from domains.models import Domain
from hypervisor.xml.edit_size import MODES

CPU_WORDS: Final = {
    "": "QEMU's default",
    "host-passthrough": "The host's own",
    "host-model": "Like the host's",
    "maximum": "All that QEMU can do",
}
FIRMWARE_WORDS: Final = {"bios": "BIOS", "uefi": "UEFI", "uefi-secure": "UEFI with secure boot"}
CLOCK_WORDS: Final = {"utc": "UTC", "localtime": "The host's local time"}


@dataclass(frozen=True, slots=True)
class Pending:
    """One thing that is otherwise now than it will be after the next start; both in words."""

    what: str
    now: str
    then: str


@dataclass(frozen=True, slots=True)
class Bootable:
    """A disk or network card to boot from: its name in the definition, and what it is."""

    name: str
    words: str


def defined(domain: Domain) -> dict[str, Any]:
    """The options of its definition, as `hypervisor.facts.OptionFacts` names them; {} while none were seen."""
    return domain.options.get("defined") or {}


def live(domain: Domain) -> dict[str, Any] | None:
    """The options of this run; None while it is off."""
    return domain.options.get("live") if domain.held else None


def pending(domain: Domain) -> list[Pending]:
    """Where its definition differs from what runs: by the panel, by virsh, or because it was started otherwise."""
    now, then = live(domain), defined(domain)
    return list(_differences(now, then)) if now and then else []


def bootable(domain: Domain) -> list[Bootable]:
    """What it may boot from: first the order of its definition, then the others."""
    options = defined(domain)
    cards = {nic.mac.lower(): f"Network card in {nic.source or nic.kind}" for nic in domain.nics.all()}
    kinds = {"disk": "Disk", "cdrom": "CD drive", "lun": "LUN", "floppy": "Floppy drive"}
    disks = {disk.target: kinds.get(disk.device, disk.device) for disk in domain.disks.all()}
    order = dict.fromkeys([*options.get("boot", ()), *options.get("bootable", ())])
    return [Bootable(name, cards.get(name) or disks.get(name) or "") for name in order]


def cpu_words(cpu: str) -> str:
    """A mode in words, a model by its name."""
    return CPU_WORDS.get(cpu, cpu)


def _differences(now: dict[str, Any], then: dict[str, Any]) -> Iterator[Pending]:
    for what, words in _TOLD.items():
        before, after = words(now), words(then)
        if before != after and not _expanded(what, now["cpu"], then["cpu"]):
            yield Pending(what, before, after)


def _expanded(what: str, now: str, then: str) -> bool:
    """Whether a run tells as the name of a model what its definition leaves to the host: nothing to wait for."""
    return what == "CPU" and then in ("", "host-model") and now not in MODES


def _topology(options: dict[str, Any]) -> str:
    counts = [options[part] for part in ("sockets", "cores", "threads")]
    return " × ".join(map(str, counts)) if all(counts) else "none"


_TOLD: Final[dict[str, Callable[[dict[str, Any]], str]]] = {
    "vCPUs": lambda options: str(options["vcpus"]),
    "Most vCPUs": lambda options: str(options["vcpus_max"]),
    "Memory": lambda options: human_mib(options["memory_mib"]),
    "Most memory": lambda options: human_mib(options["memory_max_mib"]),
    "CPU": lambda options: cpu_words(options["cpu"]),
    "Topology": _topology,
    "Boots from": lambda options: ", ".join(options["boot"]) or "nothing",
    "Firmware": lambda options: FIRMWARE_WORDS.get(options["firmware"], options["firmware"]),
    "TPM": lambda options: options["tpm"] or "none",
    "Clock": lambda options: CLOCK_WORDS.get(options["clock"], options["clock"]),
}
