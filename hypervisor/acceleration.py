"""Whether guests run on the CPU itself or are emulated, and why."""

from dataclasses import dataclass
from enum import StrEnum

from hypervisor.specs import Accelerator


class AccelerationReason(StrEnum):
    """Why `Acceleration.kvm` is what it is; the words for people are the caller's."""

    KVM_READY = "kvm-ready"
    NO_CPU_SUPPORT = "no-cpu-support"
    NO_CPU_SUPPORT_IN_GUEST = "no-cpu-support-in-guest"
    KVM_NOT_OFFERED = "kvm-not-offered"


@dataclass(frozen=True, slots=True, kw_only=True)
class Acceleration:
    """The decision, with its reason."""

    kvm: bool
    reason: AccelerationReason

    @property
    def accelerator(self) -> Accelerator:
        """What a domain defined on this host should ask for."""
        return Accelerator.KVM if self.kvm else Accelerator.QEMU


def decide(*, kvm_offered: bool, cpu_virtualization: str, virtualized_by: str) -> Acceleration:
    """KVM only if libvirt offers it and the CPU has the instructions for it.

    `cpu_virtualization` is "vmx", "svm" or blank. libvirt offers KVM wherever /dev/kvm opens, but on a CPU without
    vmx or svm guests hang under it, so the flag is asked for as well.
    `virtualized_by` names the hypervisor the host itself runs under, blank on bare metal: there the cure is another.
    """
    if not cpu_virtualization:
        if virtualized_by:
            return Acceleration(kvm=False, reason=AccelerationReason.NO_CPU_SUPPORT_IN_GUEST)
        return Acceleration(kvm=False, reason=AccelerationReason.NO_CPU_SUPPORT)
    if not kvm_offered:
        return Acceleration(kvm=False, reason=AccelerationReason.KVM_NOT_OFFERED)
    return Acceleration(kvm=True, reason=AccelerationReason.KVM_READY)
