"""What a host might say of itself."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from hypervisor.acceleration import Acceleration, AccelerationReason
from hypervisor.facts import HostFacts


def host_facts(**different: Any) -> HostFacts:
    """A small server that runs KVM."""
    facts: dict[str, Any] = {
        "uuid": UUID("6b7a4c1e-0f0e-4c3a-9c7e-1d2f3a4b5c6d"),
        "hostname": "kvm1",
        "libvirt_version": "9.0.0",
        "qemu_version": "7.2.0",
        "cpu_arch": "x86_64",
        "cpu_model": "EPYC",
        "cpu_vendor": "AMD",
        "cpu_virtualization": "svm",
        "cpus": 4,
        "cpu_sockets": 1,
        "cpu_cores_per_socket": 4,
        "cpu_threads_per_core": 1,
        "cpu_mhz": 2000,
        "memory_mib": 8192,
        "memory_free_mib": 6144,
        "numa_cells": (),
        "hugepages": (),
        "kvm_offered": True,
        "machines": ("q35",),
        "firmwares": ("bios", "efi"),
        "secure_boot_offered": False,
        "cpu_modes": ("host-model",),
        "cpu_models": (),
        "tpm_offered": False,
        "manufacturer": "",
        "product": "",
        "virtualized_by": "",
        "acceleration": Acceleration(kvm=True, reason=AccelerationReason.KVM_READY),
    }
    return HostFacts(**facts | different)
