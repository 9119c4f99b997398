"""What libvirt's capability documents say about a host; see https://libvirt.org/formatcaps.html."""

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from hypervisor.xml.elements import Element, document, serialize
from hypervisor.xml.parse import uuid_of

_TEXT_LIMIT: Final = 256
# A host can claim any number of them, and any numbers for them.
_MOST_CELLS: Final = 256
_MOST_MODELS: Final = 512
_KIB_PER_MIB: Final = 1024
# The kernel's ordinary pages are no huge ones, whatever their size is on that architecture.
_SMALLEST_HUGE_KIB: Final = 1024

# What hypervisors write into the SMBIOS tables of their guests ("manufacturer product", lower case), and the name
# that people know.
_HYPERVISORS: Final = {
    "vmware": "VMware",
    "virtualbox": "VirtualBox",
    "innotek": "VirtualBox",
    "qemu": "QEMU",
    "kvm": "KVM",
    "xen": "Xen",
    "virtual machine": "Hyper-V",
    "amazon ec2": "Amazon EC2",
    "google compute engine": "Google Compute Engine",
    "openstack": "OpenStack",
    "parallels": "Parallels",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class HostCapabilities:
    """From `virConnectGetCapabilities`. `cpu_xml` is the host CPU for `virConnectBaselineCPU`, blank if unknown."""

    uuid: UUID
    cpu_arch: str
    cpu_model: str
    cpu_vendor: str
    cpu_xml: str
    cells: tuple["Cell", ...]
    kvm_offered: bool
    machines: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One NUMA cell; their numbers may have gaps.

    `hugepages` says of each size in KiB how many were set aside; sizes without any are missing.
    """

    id: int
    cpus: int
    memory_mib: int
    hugepages: dict[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class DomainCapabilities:
    """From `virConnectGetDomainCapabilities`: what a domain may be given."""

    firmwares: tuple[str, ...]
    secure_boot: bool
    cpu_modes: tuple[str, ...]
    cpu_models: tuple[str, ...]
    tpm: bool


def host_capabilities(text: str) -> HostCapabilities:
    """What the host is and which kinds of domains it runs (those of its own architecture)."""
    root = document(text)
    host = root.find("host")
    if host is None:
        host = root
    arch = (host.findtext("cpu/arch") or "")[:_TEXT_LIMIT]
    cpu = host.find("cpu")
    guests = [guest for guest in root.iterfind("guest/arch") if guest.get("name") == arch]
    machines = [
        (machine.text or "")[:_TEXT_LIMIT] for guest in guests for machine in guest.iterfind("machine")
    ]
    return HostCapabilities(
        uuid=uuid_of(host),
        cpu_arch=arch,
        cpu_model=(host.findtext("cpu/model") or "")[:_TEXT_LIMIT],
        cpu_vendor=(host.findtext("cpu/vendor") or "")[:_TEXT_LIMIT],
        cpu_xml="" if cpu is None else serialize(cpu),
        cells=_cells(host),
        kvm_offered=any(guest.find("domain[@type='kvm']") is not None for guest in guests),
        machines=tuple(dict.fromkeys(machines)),
    )


def domain_capabilities(text: str) -> DomainCapabilities:
    """Which firmware, CPU and TPM a domain may have; of the models those that the host's own CPU can play."""
    root = document(text)
    modes = [mode for mode in root.iterfind("cpu/mode[@supported='yes']") if mode.get("name") != "custom"]
    models = root.iterfind("cpu/mode[@name='custom'][@supported='yes']/model[@usable='yes']")
    return DomainCapabilities(
        firmwares=tuple(_values(root, "os/enum[@name='firmware']/value")),
        secure_boot="yes" in _values(root, "os/loader/enum[@name='secure']/value"),
        cpu_modes=tuple(mode.get("name", "")[:_TEXT_LIMIT] for mode in modes),
        cpu_models=tuple((model.text or "")[:_TEXT_LIMIT] for model in models)[:_MOST_MODELS],
        tpm="emulator" in _values(root, "devices/tpm[@supported='yes']/enum[@name='backendModel']/value"),
    )


def cpu_features(text: str) -> frozenset[str]:
    """The features named in a CPU document."""
    return frozenset(feature.get("name", "")[:_TEXT_LIMIT] for feature in document(text).iterfind("feature"))


def manufacturer_and_product(text: str) -> tuple[str, str]:
    """Who made the host and what it is, from its SMBIOS tables."""
    root = document(text)
    return _entry(root, "manufacturer"), _entry(root, "product")


def virtualized_by(*, manufacturer: str, product: str, cpu_flags: frozenset[str]) -> str:
    """The hypervisor that the host itself is a guest of, "another hypervisor" if it hides its name, blank if none.

    Every hypervisor sets the CPU flag `hypervisor`; without it the SMBIOS tables are not even looked at.
    """
    if "hypervisor" not in cpu_flags:
        return ""
    made = f"{manufacturer} {product}".lower()
    for mark, name in _HYPERVISORS.items():
        if mark in made:
            return name
    return "another hypervisor"


def _cells(host: Element) -> tuple[Cell, ...]:
    cells = [_cell(cell) for cell in host.findall("topology/cells/cell")[:_MOST_CELLS]]
    return tuple(sorted((cell for cell in cells if cell.id < _MOST_CELLS), key=lambda cell: cell.id))


def _cell(cell: Element) -> Cell:
    pages = {_number(page.get("size")): _number(page.text) for page in cell.iterfind("pages")}
    return Cell(
        id=_number(cell.get("id")),
        cpus=len(cell.findall("cpus/cpu")),
        memory_mib=_number(cell.findtext("memory")) // _KIB_PER_MIB,
        hugepages={size: count for size, count in pages.items() if size >= _SMALLEST_HUGE_KIB and count},
    )


def _number(text: str | None) -> int:
    """0 for what is none; libvirt itself writes memory and pages in KiB."""
    text = (text or "").strip()
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 16 else 0


def _values(root: Element, path: str) -> list[str]:
    return [(value.text or "")[:_TEXT_LIMIT] for value in root.iterfind(path)]


def _entry(root: Element, name: str) -> str:
    return (root.findtext(f"system/entry[@name='{name}']") or "").strip()[:_TEXT_LIMIT]
