"""What we ask of libvirt: frozen descriptions that `xml.build` turns into documents.

Units stand in the names. Nothing here decides anything: defaults are the plainest value, and what a machine of ours
should look like is said where machines are designed.
"""

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from ipaddress import IPv4Address, IPv4Interface
from typing import Final
from uuid import UUID

from hypervisor.errors import Invalid
from hypervisor.limits import IoLimits

_FILE_NAME: Final = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,254}")
_LARGEST_VOLUME_BYTES: Final = 2**63 - 1  # libvirt counts in signed 64 bits


class Accelerator(StrEnum):
    """Who runs the guest's instructions; the `type` of a `<domain>`."""

    KVM = "kvm"
    QEMU = "qemu"


class Firmware(StrEnum):
    """What the guest's CPU finds first."""

    BIOS = "bios"
    UEFI = "uefi"
    UEFI_SECURE = "uefi-secure"


class CpuMode(StrEnum):
    """Which CPU the guest sees; QEMU_DEFAULT leaves the choice to QEMU."""

    QEMU_DEFAULT = "qemu-default"
    HOST_MODEL = "host-model"
    HOST_PASSTHROUGH = "host-passthrough"
    MAXIMUM = "maximum"


class ImageFormat(StrEnum):
    """How a disk's bytes are laid out in its file."""

    RAW = "raw"
    QCOW2 = "qcow2"


class DiskBus(StrEnum):
    """How a disk is plugged into the guest."""

    VIRTIO = "virtio"
    SCSI = "scsi"
    SATA = "sata"


class CacheMode(StrEnum):
    """How the host caches a disk; see libvirt's `<driver cache=…>`."""

    DEFAULT = "default"
    NONE = "none"
    WRITEBACK = "writeback"
    WRITETHROUGH = "writethrough"
    DIRECTSYNC = "directsync"
    UNSAFE = "unsafe"


class Discard(StrEnum):
    """What a guest's TRIM does: nothing, or give the space back to the host."""

    IGNORE = "ignore"
    UNMAP = "unmap"


class NicModel(StrEnum):
    """The network card a guest sees."""

    VIRTIO = "virtio"
    E1000E = "e1000e"
    E1000 = "e1000"
    RTL8139 = "rtl8139"


class VideoModel(StrEnum):
    """The display adapter a guest sees."""

    VIRTIO = "virtio"
    VGA = "vga"
    BOCHS = "bochs"


class LifecycleAction(StrEnum):
    """What becomes of a domain after its guest powered off, rebooted or crashed."""

    DESTROY = "destroy"
    RESTART = "restart"
    PRESERVE = "preserve"


class ClockOffset(StrEnum):
    """What the guest's hardware clock shows at start."""

    UTC = "utc"
    LOCALTIME = "localtime"


class NetworkSource(StrEnum):
    """What a network card is plugged into."""

    NETWORK = "network"
    BRIDGE = "bridge"


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskSpec:
    """One disk. `path` is the image on the host, `target` the guest's device name (`vda`).

    `format` is explicit for ever: QEMU never guesses it from the bytes. `boot_order` counts from 1, None means never.
    Several machines may have a `shareable` disk at the same time.
    """

    path: str
    format: ImageFormat
    target: str
    bus: DiskBus = DiskBus.VIRTIO
    serial: str = ""
    cache: CacheMode = CacheMode.DEFAULT
    discard: Discard = Discard.IGNORE
    limits: IoLimits = IoLimits()
    shareable: bool = False
    boot_order: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskChange:
    """What becomes different about a disk; None stays as it is. `bus` goes together with `target`, its new name."""

    bus: DiskBus | None = None
    target: str | None = None
    cache: CacheMode | None = None
    discard: Discard | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CdromSpec:
    """One CD-ROM drive; `path` is None while no medium is in it."""

    target: str
    path: str | None = None
    bus: DiskBus = DiskBus.SATA
    boot_order: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NicSpec:
    """One network card, plugged into the libvirt network or host bridge called `source`.

    The limits are averages, 0 for none: `inbound` is what the guest receives.
    """

    source: str
    mac: str
    kind: NetworkSource = NetworkSource.NETWORK
    model: NicModel = NicModel.VIRTIO
    link_up: bool = True
    inbound_kib_s: int = 0
    outbound_kib_s: int = 0
    boot_order: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NicChange:
    """What becomes different about a network card; None stays as it is. `kind` and `source` go together."""

    kind: NetworkSource | None = None
    source: str | None = None
    model: NicModel | None = None
    link_up: bool | None = None
    inbound_kib_s: int | None = None
    outbound_kib_s: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class VncSpec:
    """A VNC screen.

    It needs a password from the start, since QEMU cannot be given one later if it had none; with
    `password_expires_at` in the past no password opens it until `set_vnc_password` is called. It has 1 to 8
    characters: more are lost in the protocol. Raises `Invalid`.
    """

    password: str = field(repr=False)
    password_expires_at: datetime = datetime(2000, 1, 1, tzinfo=UTC)
    listen: str = "127.0.0.1"

    def __post_init__(self) -> None:
        check_vnc_password(self.password)


def check_vnc_password(password: str) -> None:
    """Raises `Invalid` unless it has 1 to 8 ASCII characters; libvirt refuses more, RFC 6143 §7.2.2 cuts them."""
    if not 0 < len(password) <= 8 or not password.isascii():
        raise Invalid("A VNC password has 1 to 8 plain characters.")


@dataclass(frozen=True, slots=True, kw_only=True)
class TimerSpec:
    """One clock source of the guest; `tick_policy` is blank for libvirt's own, `present` None for the same."""

    name: str
    tick_policy: str = ""
    present: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DomainSpec:
    """A whole virtual machine, ready to be defined.

    `marker` is a word of the caller's that is kept inside the definition, in the panel's own XML namespace, and comes
    back in `DomainFacts.marker`: it tells our domains from others, also after the database was lost.

    `root_ports` is how many PCI Express slots a q35 machine has, taken ones included; what is plugged in while it runs
    needs a free one. With 0 libvirt makes as many as are taken at first, and one more.
    """

    uuid: UUID
    name: str
    vcpus: int
    memory_mib: int
    title: str = ""
    description: str = ""
    marker: str = ""
    accelerator: Accelerator = Accelerator.QEMU
    machine: str = "q35"
    firmware: Firmware = Firmware.BIOS
    cpu: CpuMode = CpuMode.QEMU_DEFAULT
    disks: tuple[DiskSpec, ...] = ()
    cdroms: tuple[CdromSpec, ...] = ()
    nics: tuple[NicSpec, ...] = ()
    vnc: VncSpec | None = None
    video: VideoModel = VideoModel.VIRTIO
    rng: bool = False
    guest_agent: bool = False
    serial_console: bool = False
    tablet: bool = False
    balloon: bool = False
    root_ports: int = 0
    clock: ClockOffset = ClockOffset.UTC
    timers: tuple[TimerSpec, ...] = ()
    on_poweroff: LifecycleAction = LifecycleAction.DESTROY
    on_reboot: LifecycleAction = LifecycleAction.RESTART
    on_crash: LifecycleAction = LifecycleAction.DESTROY


@dataclass(frozen=True, slots=True, kw_only=True)
class BackingSpec:
    """A file that another one is based on. Its format is explicit: QEMU never guesses it from the bytes."""

    path: str
    format: ImageFormat


@dataclass(frozen=True, slots=True, kw_only=True)
class VolumeSpec:
    """A new, empty volume. `allocation_bytes` is set aside at once; 0 lets it grow with use.

    A qcow2 volume with a `backing` shows that file's content until something else is written over it; the file must
    not change from then on. The name is the file's: 1 to 255 letters, digits, `.`, `_` and `-`, and no `.` in front.
    Raises `Invalid`.
    """

    name: str
    format: ImageFormat
    capacity_bytes: int
    allocation_bytes: int = 0
    backing: BackingSpec | None = None

    def __post_init__(self) -> None:
        if self.backing is not None and self.format is not ImageFormat.QCOW2:
            raise Invalid("Only a qcow2 volume can be based on another file.")
        if not _FILE_NAME.fullmatch(self.name):
            raise Invalid("This cannot be the name of a volume.")
        if (
            not 0 <= self.allocation_bytes <= self.capacity_bytes
            or self.capacity_bytes > _LARGEST_VOLUME_BYTES
        ):
            raise Invalid("This cannot be the size of a volume.")


@dataclass(frozen=True, slots=True, kw_only=True)
class NatNetworkSpec:
    """A network behind the host's address, with DHCP from `dhcp_first` to `dhcp_last` inclusive."""

    uuid: UUID
    name: str
    bridge: str
    gateway: IPv4Interface
    dhcp_first: IPv4Address
    dhcp_last: IPv4Address


@dataclass(frozen=True, slots=True, kw_only=True)
class MigrationSpec:
    """How a domain goes to another host.

    `address` is where the source's QEMU finds the target: a host name or an IP address; blank leaves it to the
    target's own idea of its name. `paths` says by disk target which file lies behind it there, where it is another
    one; the content of the disks in `copied` is sent, into volumes that are there already. `proved` says that the
    others were seen to lie on storage that both hosts reach: libvirt knows that of a few network file systems alone,
    and refuses the rest as unsafe. Limits of 0 are none.
    """

    live: bool
    address: str = ""
    paths: tuple[tuple[str, str], ...] = ()
    copied: tuple[str, ...] = ()
    proved: bool = False
    bandwidth_mib_s: int = 0
    auto_converge: bool = False
    post_copy: bool = False
