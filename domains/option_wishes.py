"""What people ask to have changed of a machine, and what is wrong with it."""

from __future__ import annotations

import zoneinfo
from collections.abc import Iterator
from dataclasses import dataclass, fields
from functools import cache
from typing import Any, ClassVar, Final
from uuid import uuid4

from core.errors import InvalidInput
from core.units import human_mib
from domains.actions.create import MIN_MEMORY_MIB
from domains.labels import LONGEST_DESCRIPTION, LONGEST_TAG, LONGEST_TITLE, MOST_TAGS
from domains.models import Domain
from domains.options import FIRMWARE_WORDS, bootable, defined, live
from hypervisor.xml.edit_size import MODES

# Secure boot needs the chipset that has system management mode.
_SECURE_MACHINE: Final = "q35"
# What XML can't carry, beside surrogates and non-characters, which no browser sends.
_CONTROL: Final = frozenset(map(chr, range(32))) - {"\t", "\n"} | {"\x7f", "\ufffe", "\uffff"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """A change of one kind of operation; `arguments` are those of the edit in `domains.procedures.options`."""

    kind: ClassVar[str]

    def problems(self, domain: Domain) -> Iterator[InvalidInput]:
        """What is wrong with it, each beside its field."""
        return iter(())

    def arguments(self, domain: Domain) -> dict[str, Any]:
        """For the definition, as JSON keeps them: all but when."""
        values = {field.name: getattr(self, field.name) for field in fields(self) if field.name != "now"}
        return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}

    def at_once(self, domain: Domain) -> dict[str, int]:
        """What also changes while it runs: "vcpus" or "memory_mib"; {} for nothing."""
        return {}


@dataclass(frozen=True, slots=True, kw_only=True)
class CpuWish(Wish):
    """vCPUs, the CPU they are, and their topology (zeros: none). `now` is for their number, within the maximum."""

    kind: ClassVar[str] = "domain.change.cpu"

    vcpus: int
    vcpus_max: int
    cpu: str = ""
    sockets: int = 0
    cores: int = 0
    threads: int = 0
    now: bool = False

    def problems(self, domain: Domain) -> Iterator[InvalidInput]:
        """Numbers that the host or the run don't have, models it can't give, a topology that doesn't fit."""
        host, before = domain.host, defined(domain)
        most = max(host.cpus, before["vcpus_max"], 1)
        if not 1 <= self.vcpus_max <= most:
            yield InvalidInput(f"{host.name} has {host.cpus} CPUs: give 1 to {most}.", field="vcpus_max")
        elif not 1 <= self.vcpus <= self.vcpus_max:
            yield InvalidInput(f"Give 1 to {self.vcpus_max}, the maximum.", field="vcpus")
        if self.cpu != before["cpu"] and self.cpu not in offered_cpus(domain):
            yield InvalidInput(f"{host.name} can't give a machine this CPU.", field="cpu")
        counts = (self.sockets, self.cores, self.threads)
        if any(counts) and (min(counts) < 1 or self.sockets * self.cores * self.threads != self.vcpus_max):
            yield InvalidInput(
                f"Sockets × cores × threads must be {self.vcpus_max}, the maximum of vCPUs; leave all three blank for"
                " none.",
                field="sockets",
            )
        running = live(domain)
        if running and self.at_once(domain) and 1 <= self.vcpus <= self.vcpus_max:
            least, limit = running["vcpus_fixed"], running["vcpus_max"]
            if not least <= self.vcpus <= limit:
                yield InvalidInput(
                    f"While it runs it can have {least} to {limit}. Choose “at its next start” for other numbers."
                    if least < limit
                    else f"While it runs it keeps its {limit}. Choose “at its next start” for another number.",
                    field="vcpus",
                )

    def at_once(self, domain: Domain) -> dict[str, int]:
        """The number of vCPUs, where it differs."""
        running = live(domain)
        return {"vcpus": self.vcpus} if self.now and running and running["vcpus"] != self.vcpus else {}


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryWish(Wish):
    """Memory at start, and how much it may become while it runs. `now` is for the former, within the maximum."""

    kind: ClassVar[str] = "domain.change.memory"

    memory_mib: int
    memory_max_mib: int
    now: bool = False

    def problems(self, domain: Domain) -> Iterator[InvalidInput]:
        """Too little to run at all, more than the host or the run has."""
        host = domain.host
        most = max(host.memory_mib, defined(domain)["memory_max_mib"], MIN_MEMORY_MIB)
        least = min(MIN_MEMORY_MIB, defined(domain)["memory_mib"])
        if not least <= self.memory_max_mib <= most:
            yield InvalidInput(
                f"{host.name} has {human_mib(host.memory_mib)}: give {least} to {most} MiB.",
                field="memory_max_mib",
            )
        elif not least <= self.memory_mib <= self.memory_max_mib:
            yield InvalidInput(f"Give {least} to {self.memory_max_mib} MiB, the maximum.", field="memory_mib")
        elif self.at_once(domain):
            running = live(domain) or {}
            if not running["balloon"]:
                yield InvalidInput(
                    "It has no balloon device, so its memory can't change while it runs."
                    " Choose “at its next start”.",
                    field="memory_mib",
                )
            elif self.memory_mib > running["memory_max_mib"]:
                yield InvalidInput(
                    f"While it runs it can have at most {running['memory_max_mib']} MiB."
                    " Choose “at its next start” for more.",
                    field="memory_mib",
                )

    def at_once(self, domain: Domain) -> dict[str, int]:
        """The memory, where it differs."""
        running = live(domain)
        differs = self.now and running and running["memory_mib"] != self.memory_mib
        return {"memory_mib": self.memory_mib} if differs else {}


@dataclass(frozen=True, slots=True, kw_only=True)
class BootWish(Wish):
    """What it boots from, first to last; nothing else is tried."""

    kind: ClassVar[str] = "domain.change.boot"

    devices: tuple[str, ...]

    def problems(self, domain: Domain) -> Iterator[InvalidInput]:
        """None at all, a device that it doesn't have, or one that is named twice."""
        if not self.devices:
            yield InvalidInput(
                "Choose at least one: without any, libvirt takes the first disk.", field="devices"
            )
        known = {device.name for device in bootable(domain)}
        for name in self.devices:
            if name not in known:
                yield InvalidInput("It has no such disk or network card.", field="devices")
                return
        if len(set(self.devices)) != len(self.devices):
            yield InvalidInput("Name each device once.", field="devices")


@dataclass(frozen=True, slots=True, kw_only=True)
class FirmwareWish(Wish):
    """ "bios", "uefi" or "uefi-secure"."""

    kind: ClassVar[str] = "domain.change.firmware"

    firmware: str

    def problems(self, domain: Domain) -> Iterator[InvalidInput]:
        """What the host or this type of machine doesn't have."""
        host = domain.host
        if self.firmware not in FIRMWARE_WORDS:
            yield InvalidInput("Give bios, uefi or uefi-secure.", field="firmware")
        elif self.firmware == defined(domain)["firmware"] or self.firmware == "bios":
            return
        elif not host.uefi:
            yield InvalidInput(
                f"{host.name} has no UEFI firmware.", field="firmware", fix="Install ovmf on it."
            )
        elif self.firmware == "uefi-secure" and not host.secure_boot:
            yield InvalidInput(f"{host.name} has no UEFI firmware with secure boot.", field="firmware")
        elif self.firmware == "uefi-secure" and _SECURE_MACHINE not in domain.machine:
            yield InvalidInput(
                f"Secure boot needs a machine of type q35; this one is {domain.machine}.", field="firmware"
            )

    def arguments(self, domain: Domain) -> dict[str, Any]:
        """With the name of a new file for UEFI's variables, chosen now."""
        return {"firmware": self.firmware, "nvram": f"{domain.uuid}-{uuid4().hex[:8]}_VARS.fd"}


@dataclass(frozen=True, slots=True, kw_only=True)
class TpmWish(Wish):
    """An emulated TPM 2.0, or none."""

    kind: ClassVar[str] = "domain.change.tpm"

    tpm: bool

    def problems(self, domain: Domain) -> Iterator[InvalidInput]:
        """A host that can't emulate one, or a machine that has the host's own."""
        if defined(domain)["tpm"] == "other":
            yield InvalidInput(
                "It has the host's own TPM, which the definition alone can change.", field="tpm"
            )
        elif self.tpm and not defined(domain)["tpm"] and not domain.host.tpm:
            yield InvalidInput(
                f"{domain.host.name} can't emulate a TPM.",
                field="tpm",
                fix="Install swtpm and swtpm-tools on it.",
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockWish(Wish):
    """ "utc", "localtime" or the name of a time zone."""

    kind: ClassVar[str] = "domain.change.clock"

    clock: str

    def problems(self, domain: Domain) -> Iterator[InvalidInput]:
        """A zone that nobody knows."""
        if self.clock not in clocks() and self.clock != defined(domain)["clock"]:
            yield InvalidInput("Give utc, localtime or a time zone such as Europe/Berlin.", field="clock")


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelWish(Wish):
    """Free words: its title (one line), description and tags."""

    kind: ClassVar[str] = "domain.change.label"

    title: str = ""
    description: str = ""
    tags: tuple[str, ...] = ()

    def problems(self, domain: Domain) -> Iterator[InvalidInput]:
        """Too much of it, or letters that libvirt's documents can't carry."""
        if len(self.title) > LONGEST_TITLE or "\n" in self.title:
            yield InvalidInput(f"A title is one line of at most {LONGEST_TITLE} characters.", field="title")
        if len(self.description) > LONGEST_DESCRIPTION:
            yield InvalidInput(f"Give at most {LONGEST_DESCRIPTION:,} characters.", field="description")
        if len(self.tags) > MOST_TAGS or any(not 0 < len(tag) <= LONGEST_TAG for tag in self.tags):
            yield InvalidInput(
                f"Give at most {MOST_TAGS} tags of at most {LONGEST_TAG} characters.", field="tags"
            )
        for field in ("title", "description", "tags"):
            if _unfit("".join(getattr(self, field))):
                yield InvalidInput("It holds characters that can't be kept.", field=field)


def offered_cpus(domain: Domain) -> list[str]:
    """The modes and models that its host can give it; "" leaves the choice to QEMU."""
    modes = [mode for mode in MODES if mode in domain.host.cpu_modes]
    return ["", *modes, *sorted(domain.host.cpu_models, key=str.lower)]


@cache
def clocks() -> tuple[str, ...]:
    """What a clock may show: UTC, the host's local time, or a time zone."""
    return ("utc", "localtime", *sorted(zone for zone in zoneinfo.available_timezones() if "/" in zone))


def _unfit(text: str) -> bool:
    return any(letter in _CONTROL or "\ud800" <= letter <= "\udfff" for letter in text)
