"""What libvirt told us: frozen, complete, with units in the names.

Every string in here came from a host or a guest and is hostile text: it may hold markup, and it is at most as long as
the document it stood in.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from hypervisor.acceleration import Acceleration
from hypervisor.device_facts import DeviceFacts, Presence
from hypervisor.limits import IoLimits


class DomainState(StrEnum):
    """What a domain is doing; libvirt's `virDomainState` with its two idle spellings folded into RUNNING."""

    RUNNING = "running"
    PAUSED = "paused"
    SHUTTING_DOWN = "shutting-down"
    OFF = "off"
    CRASHED = "crashed"
    SUSPENDED = "suspended"
    UNKNOWN = "unknown"


class PoolState(StrEnum):
    """What a storage pool is doing; libvirt's `virStoragePoolState`."""

    INACTIVE = "inactive"
    BUILDING = "building"
    RUNNING = "running"
    DEGRADED = "degraded"
    INACCESSIBLE = "inaccessible"


@dataclass(frozen=True, slots=True, kw_only=True)
class NumaCell:
    """CPUs and the memory that is near to them; `memory_free_mib` leaves out what the page cache would give back."""

    id: int
    cpus: int
    memory_mib: int
    memory_free_mib: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Hugepages:
    """Pages of one size that were set aside on the whole host."""

    size_kib: int
    total: int
    free: int


@dataclass(frozen=True, slots=True, kw_only=True)
class HostFacts:
    """One machine that runs libvirt.

    `cpu_virtualization` is "vmx", "svm" or blank; `virtualized_by` names the hypervisor this host is itself a guest of.
    `memory_free_mib` is what guests could still get, page cache included. `cpu_modes` and `cpu_models` are what a
    domain of the kind that the host runs best can be given.
    """

    uuid: UUID
    hostname: str
    libvirt_version: str
    qemu_version: str
    cpu_arch: str
    cpu_model: str
    cpu_vendor: str
    cpu_virtualization: str
    cpus: int
    cpu_sockets: int
    cpu_cores_per_socket: int
    cpu_threads_per_core: int
    cpu_mhz: int
    memory_mib: int
    memory_free_mib: int
    numa_cells: tuple[NumaCell, ...]
    hugepages: tuple[Hugepages, ...]
    kvm_offered: bool
    machines: tuple[str, ...]
    firmwares: tuple[str, ...]
    secure_boot_offered: bool
    cpu_modes: tuple[str, ...]
    cpu_models: tuple[str, ...]
    tpm_offered: bool
    manufacturer: str
    product: str
    virtualized_by: str
    acceleration: Acceleration

    @property
    def uefi_offered(self) -> bool:
        """Whether a domain with UEFI firmware can be defined here."""
        return "efi" in self.firmwares


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskFile:
    """A file or device by its `path`, or, where a document names it so, by its `pool` and `volume`; the rest is blank.

    `base` tells one that is only read: what is written goes into another that is based on it.
    """

    path: str
    pool: str
    volume: str
    base: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskFacts:
    """One disk or CD-ROM drive; `path` is blank for an empty drive and for sources that are not files or devices.

    `pool` and `volume` are filled when the definition names a volume instead of a path. `cache` and `discard` are blank
    where QEMU decides. `pending` holds what the next start changes, as the name of the field and its value; for limits
    that value is blank. `files` is all that must stay for it: what this run has open, with all that lies below and what
    is being written in its place, and what the next start opens.
    """

    target: str
    bus: str
    device: str
    path: str
    pool: str
    volume: str
    format: str
    readonly: bool
    shareable: bool
    serial: str
    cache: str
    discard: str
    limits: IoLimits
    boot_order: int | None
    present: Presence
    pending: tuple[tuple[str, str], ...]
    files: tuple[DiskFile, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class NicFacts:
    """One network card; `kind` is libvirt's interface type, `source` the network's or the bridge's name.

    `device` is the host's tap device while the domain runs. The limits are averages, 0 for none; `inbound` is what the
    guest receives. `pending` holds what the next start changes, as the name of the field and its value.
    """

    mac: str
    kind: str
    source: str
    model: str
    device: str
    link_up: bool
    inbound_kib_s: int
    outbound_kib_s: int
    present: Presence
    pending: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphicsFacts:
    """One screen; `port` is None while nobody listens, `listen` may be blank."""

    kind: str
    port: int | None
    listen: str
    has_password: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class OptionFacts:
    """What one document of a domain, its definition or that of its run, says of what can be chosen.

    `vcpus` of `vcpus_max` are there at start or now, `vcpus_fixed` of these can't be taken out while it runs; memory
    likewise, which can change while it runs only with a `balloon`. `cpu` is a mode ("host-model"), the name of a model,
    or blank where QEMU chooses; `sockets`, `cores` and `threads` are 0 without a topology, dies count as cores.
    `boot` names disks by target and network cards by MAC, in order; `bootable` are all that could stand there.
    `firmware` is "bios", "uefi" or "uefi-secure", `tpm` its version, blank without one. `clock` is libvirt's offset,
    or the name of a time zone.
    """

    vcpus: int
    vcpus_max: int
    vcpus_fixed: int
    memory_mib: int
    memory_max_mib: int
    balloon: bool
    cpu: str
    sockets: int
    cores: int
    threads: int
    boot: tuple[str, ...]
    bootable: tuple[str, ...]
    firmware: str
    tpm: str
    clock: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DomainFacts:
    """One domain.

    Devices, vCPUs and memory are those of the running machine if it runs, else of the definition; title, description
    and tags are always the definition's, as only these last. `xml_sha` is the SHA-256 of the definition (inactive, with
    secrets): equal means nobody redefined it in between. `live_id` is libvirt's number for this run, None while off; a
    new run has a new number. `tags` are those that the panel keeps in the definition, None where it never wrote any.
    `defined` are the options of the definition, which the next start brings, `live` those of this run, None while off.
    `pluggable` are the kinds of devices, "nic", "disk" and some of `DeviceKind`, for which this run has a free place;
    none while off.
    """

    uuid: UUID
    name: str
    title: str
    description: str
    marker: str
    tags: tuple[str, ...] | None
    state: DomainState
    state_reason: str
    live_id: int | None
    persistent: bool
    autostart: bool
    managed_save: bool
    vcpus: int
    vcpus_max: int
    memory_mib: int
    memory_max_mib: int
    machine: str
    firmware: str
    accelerated: bool
    disks: tuple[DiskFacts, ...]
    nics: tuple[NicFacts, ...]
    graphics: tuple[GraphicsFacts, ...]
    devices: tuple[DeviceFacts, ...]
    pluggable: tuple[str, ...]
    defined: OptionFacts
    live: OptionFacts | None
    xml_sha: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DomainReading:
    """One domain among all. `digest` tells what it says from anything else that it could say.

    `facts` is None where that is what the asker knows already.
    """

    uuid: UUID
    digest: str
    facts: DomainFacts | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolFacts:
    """One storage pool; the sizes are 0 and `path` is what was configured while it is inactive."""

    uuid: UUID
    name: str
    kind: str
    state: PoolState
    path: str
    capacity_bytes: int
    allocation_bytes: int
    available_bytes: int
    persistent: bool
    autostart: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class VolumeFacts:
    """One volume; `capacity_bytes` is what a guest sees, `allocation_bytes` what it takes on the host.

    `format` is libvirt's reading of the bytes and only as true as they are: never trust it for a file that a person
    brought. `features` are the image format's own, such as "lazy_refcounts".
    """

    name: str
    key: str
    path: str
    format: str
    capacity_bytes: int
    allocation_bytes: int
    physical_bytes: int
    backing_path: str
    compat: str
    features: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkFacts:
    """One virtual network; `addresses` as "192.0.2.1/24", `dhcp_ranges` as (first, last)."""

    uuid: UUID
    name: str
    active: bool
    persistent: bool
    autostart: bool
    bridge: str
    forward_mode: str
    dns_domain: str
    addresses: tuple[str, ...]
    dhcp_ranges: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseFacts:
    """One address that a network's DHCP server gave away; `hostname` is the guest's own claim."""

    mac: str
    ip: str
    hostname: str
    expires_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Screenshot:
    """A picture of a guest's screen, as PNG."""

    png: bytes
    width_px: int
    height_px: int


@dataclass(frozen=True, slots=True, kw_only=True)
class VncEndpoint:
    """Where a running domain's VNC server listens, seen from its host.

    `password_capable` tells whether `set_vnc_password` works for this run. `display_name` is what the server calls
    itself in the RFB handshake: it says whose screen this is.
    """

    host: str
    port: int
    password_capable: bool
    display_name: str


class AskedBy(StrEnum):
    """How a guest was asked to shut down or to restart."""

    AGENT = "agent"
    ACPI = "acpi"


@dataclass(frozen=True, slots=True, kw_only=True)
class MigrationFacts:
    """What could keep a domain on its host. `tied` names parts of it that are the host's own."""

    state: DomainState
    state_reason: str
    persistent: bool
    managed_save: bool
    snapshots: int
    checkpoints: int
    tied: tuple[str, ...]
    nvram: bool
    job: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class MigrationProgress:
    """How far a running migration is; memory and disks together. `downtime_ms` is 0 until it is known."""

    total_bytes: int
    processed_bytes: int
    remaining_bytes: int
    elapsed_ms: int
    downtime_ms: int
    throttle_percent: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SaveProgress:
    """How far the writing of a domain's memory to disk is. `total_bytes` is 0 until it is known."""

    total_bytes: int
    processed_bytes: int
