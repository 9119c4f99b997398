"""What a machine of ours looks like: the one place where such choices are made.

q35 with virtio devices; the disk before the CD-ROM in the boot order (an empty disk falls through to the installer,
an installed one doesn't start the installer again); VNC on 127.0.0.1 with a password that has expired already.
"""

from __future__ import annotations

import secrets

from domains.plan import Plan
from hosts.models import Host
from hypervisor.specs import (
    Accelerator,
    CdromSpec,
    CpuMode,
    Discard,
    DiskSpec,
    DomainSpec,
    Firmware,
    ImageFormat,
    NicSpec,
    VncSpec,
)
from storage.models import Volume

MARKER = "kvmpanel"
# VNC authentication reads eight characters (RFC 6143 §7.2.2).
VNC_PASSWORD_BYTES = 6

# Six or seven for what it is made with; the others wait for what is plugged in while it runs.
ROOT_PORTS = 14


def design(plan: Plan, *, host: Host, disk: Volume, iso: Volume | None) -> DomainSpec:
    """The machine that `plan` asks for, on `host`. A new VNC password each time: nobody needs to know it."""
    drives = () if iso is None else (CdromSpec(target="sda", path=iso.path, boot_order=2),)
    nics = () if plan.network is None else (NicSpec(source=plan.network, mac=plan.mac),)
    return DomainSpec(
        uuid=plan.domain,
        name=plan.name,
        description=plan.description,
        marker=MARKER,
        vcpus=plan.vcpus,
        memory_mib=plan.memory_mib,
        accelerator=Accelerator.KVM if host.kvm else Accelerator.QEMU,
        # Emulated, the default CPU lacks what current RHEL asks for (x86-64-v2); "maximum" has all QEMU can do.
        cpu=CpuMode.HOST_MODEL if host.kvm else CpuMode.MAXIMUM,
        firmware=Firmware(plan.firmware),
        disks=(
            DiskSpec(
                path=disk.path,
                format=ImageFormat(disk.format),
                target="vda",
                serial=disk.uuid.hex[:20],
                discard=Discard.UNMAP,
                boot_order=1,
            ),
        ),
        cdroms=drives,
        nics=nics,
        vnc=VncSpec(password=secrets.token_urlsafe(VNC_PASSWORD_BYTES)),
        rng=True,
        guest_agent=True,
        serial_console=True,
        tablet=True,
        balloon=True,
        root_ports=ROOT_PORTS,
    )
