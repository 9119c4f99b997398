"""Specs that together use every field, and every value of every enumeration, that `hypervisor.specs` knows."""

from datetime import UTC, datetime
from ipaddress import IPv4Address, IPv4Interface
from typing import Final
from uuid import UUID

from hypervisor import snapshots, specs
from hypervisor.limits import IoLimits

_UUID: Final = UUID("5f1f2d0e-6a2b-4b0e-9d65-0d8f3c1f5a10")

PLAIN: Final = specs.DomainSpec(uuid=_UUID, name="plain", vcpus=1, memory_mib=128)

INSTALLING: Final = specs.DomainSpec(
    uuid=_UUID,
    name="installing",
    title="Wiki <b>&amp;</b> \"quotes\" 'n' more",
    description="Two lines:\n]]> and a snowman ☃",
    marker="operation 12",
    vcpus=2,
    memory_mib=2048,
    disks=(
        specs.DiskSpec(
            path="/srv/pool/5f1f-vda.qcow2",
            format=specs.ImageFormat.QCOW2,
            target="vda",
            serial="5f1f2d0e",
            cache=specs.CacheMode.NONE,
            discard=specs.Discard.UNMAP,
            limits=IoLimits(read_bytes_s=1048576, write_bytes_s=2097152, read_iops=100, write_iops=200),
            boot_order=1,
        ),
    ),
    cdroms=(specs.CdromSpec(target="sda", path="/srv/pool/Ünïcode & co.iso", boot_order=2),),
    nics=(specs.NicSpec(source="default", mac="52:54:00:5f:1f:2d", boot_order=3),),
    vnc=specs.VncSpec(password='a<b"c&d'),
    rng=True,
    guest_agent=True,
    serial_console=True,
    tablet=True,
    balloon=True,
    root_ports=14,
    timers=(
        specs.TimerSpec(name="rtc", tick_policy="catchup"),
        specs.TimerSpec(name="pit", tick_policy="delay"),
        specs.TimerSpec(name="hpet", present=False),
        specs.TimerSpec(name="kvmclock", present=True),
    ),
)

UEFI: Final = specs.DomainSpec(
    uuid=_UUID,
    name="uefi",
    vcpus=1,
    memory_mib=512,
    firmware=specs.Firmware.UEFI,
    cpu=specs.CpuMode.MAXIMUM,
    disks=(
        specs.DiskSpec(
            path="/srv/pool/a.raw",
            format=specs.ImageFormat.RAW,
            target="sda",
            bus=specs.DiskBus.SATA,
            cache=specs.CacheMode.WRITEBACK,
        ),
        specs.DiskSpec(
            path="/srv/pool/b.raw",
            format=specs.ImageFormat.RAW,
            shareable=True,
            target="sdb",
            bus=specs.DiskBus.SCSI,
            cache=specs.CacheMode.WRITETHROUGH,
        ),
        specs.DiskSpec(
            path="/srv/pool/c.raw",
            format=specs.ImageFormat.RAW,
            target="vda",
            cache=specs.CacheMode.UNSAFE,
        ),
        specs.DiskSpec(path="/srv/pool/d.raw", format=specs.ImageFormat.RAW, target="vdb"),
        specs.DiskSpec(
            path="/srv/pool/e.raw",
            format=specs.ImageFormat.RAW,
            target="vdc",
            cache=specs.CacheMode.DIRECTSYNC,
        ),
    ),
    cdroms=(specs.CdromSpec(target="sdc", bus=specs.DiskBus.SCSI),),
    nics=(
        specs.NicSpec(source="br0", mac="52:54:00:00:00:01", kind=specs.NetworkSource.BRIDGE),
        specs.NicSpec(source="default", mac="52:54:00:00:00:02", model=specs.NicModel.E1000E),
        specs.NicSpec(
            source="default",
            mac="52:54:00:00:00:03",
            model=specs.NicModel.E1000,
            link_up=False,
            inbound_kib_s=2000,
            outbound_kib_s=500,
        ),
        specs.NicSpec(source="default", mac="52:54:00:00:00:04", model=specs.NicModel.RTL8139),
    ),
    vnc=specs.VncSpec(
        password="secret", password_expires_at=datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC), listen="127.0.0.2"
    ),
    video=specs.VideoModel.BOCHS,
)

SECURE: Final = specs.DomainSpec(
    uuid=_UUID,
    name="secure",
    vcpus=4,
    memory_mib=4096,
    accelerator=specs.Accelerator.KVM,
    machine="pc-q35-7.2",
    firmware=specs.Firmware.UEFI_SECURE,
    cpu=specs.CpuMode.HOST_PASSTHROUGH,
    vnc=specs.VncSpec(password="secret"),
    video=specs.VideoModel.VGA,
    clock=specs.ClockOffset.LOCALTIME,
    on_poweroff=specs.LifecycleAction.PRESERVE,
    on_reboot=specs.LifecycleAction.DESTROY,
    on_crash=specs.LifecycleAction.RESTART,
)

HOST_MODEL: Final = specs.DomainSpec(
    uuid=_UUID, name="host-model", vcpus=1, memory_mib=128, machine="pc", cpu=specs.CpuMode.HOST_MODEL
)

DOMAINS: Final = (PLAIN, INSTALLING, UEFI, SECURE, HOST_MODEL)

VOLUMES: Final = (
    specs.VolumeSpec(name="5f1f-vda.qcow2", format=specs.ImageFormat.QCOW2, capacity_bytes=5 * 1024**3),
    specs.VolumeSpec(
        name="full.raw", format=specs.ImageFormat.RAW, capacity_bytes=1024**2, allocation_bytes=1024**2
    ),
    specs.VolumeSpec(
        name="over.qcow2",
        format=specs.ImageFormat.QCOW2,
        capacity_bytes=1024**2,
        backing=specs.BackingSpec(path="/srv/<pool>/a.raw", format=specs.ImageFormat.RAW),
    ),
)

SNAPSHOTS: Final = (
    snapshots.SnapshotSpec(
        name="inside", description="before <b>& after", inside=("vda", "vdb"), left_out=("sda",)
    ),
    snapshots.SnapshotSpec(
        name="layers",
        description="",
        layers=(snapshots.Layer(target="vda", path="/srv/<pool>/over.qcow2"),),
        left_out=("sda",),
        memory_path="/srv/<pool>/memory.save",
    ),
    snapshots.SnapshotSpec(
        name="disks",
        description="",
        layers=(snapshots.Layer(target="vda", path="/srv/pool/over.qcow2"),),
        quiesce=True,
    ),
)

NETWORK: Final = specs.NatNetworkSpec(
    uuid=_UUID,
    name="lab & <co>",
    bridge="virbr9",
    gateway=IPv4Interface("192.0.2.1/26"),
    dhcp_first=IPv4Address("192.0.2.10"),
    dhcp_last=IPv4Address("192.0.2.62"),
)
