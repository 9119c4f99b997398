"""Whether a host runs its machines on the CPU itself, said for people: what it means, and how to change it."""

from __future__ import annotations

from dataclasses import dataclass

from hosts.models import Host
from hypervisor.acceleration import AccelerationReason


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """`title` says what is so, `why` the reason, `steps` what to do, in order."""

    title: str
    why: str
    steps: tuple[str, ...] = ()


_EMULATED = "Virtual machines are emulated here: they work, many times slower."
_AFTERWARDS = "Restart libvirt on this host (systemctl restart libvirtd). This page changes within a minute."

# Where the setting is, by the hypervisor that this host is itself a guest of.
_NESTED_KVM = (
    "On the machine below, allow nested KVM: “options kvm_intel nested=1” (or kvm_amd) in /etc/modprobe.d/, "
    "then load the module anew.",
    "Give this host the CPU mode host-passthrough, then shut it down and start it again.",
)
_NESTED = {
    "KVM": _NESTED_KVM,
    "QEMU": _NESTED_KVM,
    "VMware": (
        "Shut this host down in VMware.",
        "In its settings, under Processors or CPU, tick “Virtualize Intel VT-x/EPT or AMD-V/RVI” "
        "(vSphere: “Expose hardware assisted virtualization to the guest OS”).",
        "Start it again.",
    ),
    "Hyper-V": (
        "Shut this host down in Hyper-V.",
        "On the Hyper-V machine run: Set-VMProcessor -VMName NAME -ExposeVirtualizationExtensions $true",
        "Start it again.",
    ),
    "VirtualBox": (
        "Shut this host down in VirtualBox.",
        "In its settings, under System, Processor, tick “Enable Nested VT-x/AMD-V”.",
        "Start it again.",
    ),
}
_NESTED_ELSEWHERE = (
    "Turn on nested virtualization for this host where it runs; cloud providers often offer it for some types only.",
    "Shut it down and start it again: a restart from inside is not enough.",
)
_FIRMWARE = (
    "Restart the host and enter its BIOS or UEFI setup.",
    "Turn on “Intel Virtualization Technology (VT-x)” or “SVM Mode” (AMD), most often under CPU or Advanced.",
    "Save, and switch the host off and on once.",
)
_MODULE = (
    "Load the module: modprobe kvm_intel (or kvm_amd). If that fails, dmesg says why; most often it is turned off in "
    "the BIOS or UEFI setup.",
    "Look whether libvirt may use it: /dev/kvm must belong to the group kvm, with mode 0660.",
    _AFTERWARDS,
)


def note(host: Host) -> Note | None:
    """What to say about `host`, or None while it was never seen."""
    if not host.kvm_reason:
        return None
    reason = AccelerationReason(host.kvm_reason)
    if reason is AccelerationReason.KVM_READY:
        flag = host.cpu_virtualization or "the CPU's virtualization"
        return Note(title="KVM is on", why=f"The CPU has {flag} and libvirt offers KVM.")
    if reason is AccelerationReason.NO_CPU_SUPPORT_IN_GUEST:
        above = host.virtualized_by
        return Note(
            title="No KVM: this host is itself a virtual machine",
            why=f"It runs on {above}, which does not pass vmx or svm on to it. {_EMULATED}",
            steps=_NESTED.get(above, _NESTED_ELSEWHERE),
        )
    if reason is AccelerationReason.NO_CPU_SUPPORT:
        return Note(
            title="No KVM: the CPU shows neither vmx nor svm",
            why=f"Virtualization is turned off in the firmware, or the CPU has none. {_EMULATED}",
            steps=_FIRMWARE,
        )
    return Note(
        title="No KVM: libvirt does not offer it",
        why=f"The CPU has {host.cpu_virtualization}, but /dev/kvm is missing or closed to libvirt. {_EMULATED}",
        steps=_MODULE,
    )
