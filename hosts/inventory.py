"""The only writer of what was observed of a host."""

from __future__ import annotations

from typing import Any

from django.db.models.functions import Now
from django.dispatch import Signal

from core.events import publish
from hosts.models import Host, HostState
from hypervisor.facts import HostFacts

# Sent with `host` where one that answered doesn't any more, or answers (again): what is known of it turns old, or new.
state_changed = Signal()


def record_facts(host: Host, facts: HostFacts, *, latency_ms: float) -> None:
    """Write what the host said of itself, at the moment it said so."""
    _write(
        host,
        HostState.UP,
        error="",
        seen_at=Now(),
        host_uuid=facts.uuid,
        hostname=facts.hostname[:255],
        libvirt_version=facts.libvirt_version[:32],
        qemu_version=facts.qemu_version[:32],
        cpu_arch=facts.cpu_arch[:32],
        cpu_model=facts.cpu_model[:128],
        cpu_virtualization=facts.cpu_virtualization[:8],
        cpus=facts.cpus,
        cpu_sockets=facts.cpu_sockets,
        cpu_cores_per_socket=facts.cpu_cores_per_socket,
        cpu_threads_per_core=facts.cpu_threads_per_core,
        memory_mib=facts.memory_mib,
        memory_free_mib=facts.memory_free_mib,
        kvm=facts.acceleration.kvm,
        kvm_reason=facts.acceleration.reason.value,
        virtualized_by=facts.virtualized_by[:64],
        uefi=facts.uefi_offered,
        latency_ms=latency_ms,
    )


def record_contact(host: Host, *, memory_free_mib: int, latency_ms: float) -> None:
    """It still answers."""
    _write(
        host,
        HostState.UP,
        error="",
        seen_at=Now(),
        memory_free_mib=memory_free_mib,
        latency_ms=latency_ms,
    )


def record_lost(host: Host, error: str) -> None:
    """It doesn't answer; what was seen of it stays, with the time when it was seen."""
    _write(host, HostState.DOWN, error=error[:2000])


def _write(host: Host, state: HostState, **columns: Any) -> None:
    changed = Host.objects.filter(pk=host.pk).exclude(state=state).exists()
    Host.objects.filter(pk=host.pk).update(state=state, **columns)
    if changed:
        state_changed.send(sender=Host, host=host)
    tell(host)


def tell(host: Host) -> None:
    """Push the change to pages that show this host, or all of them."""
    publish("host", host.uuid)
    publish("hosts")
