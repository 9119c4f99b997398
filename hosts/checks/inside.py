"""Checks of what libvirt on a host says: versions, KVM, a pool, a network."""

from __future__ import annotations

from typing import Final

from core.units import GIB, human_bytes
from hosts import acceleration, ssh
from hosts.checks.finding import Finding, failed, passed, warning
from hosts.checks.visit import Visit
from hosts.models import Host, Transport
from hypervisor.acceleration import AccelerationReason
from hypervisor.errors import AccessDenied, HypervisorError
from hypervisor.facts import PoolState

# What Debian 11 has: older ones are not tried any more.
OLDEST_LIBVIRT: Final = "7.0.0"
OLDEST_QEMU: Final = "5.2.0"
LEAST_SPACE: Final = 10 * GIB
ASK_S: Final = 8.0

_INSTALL: Final = "Look whether libvirt is installed and runs, as “Prepare this host” shows it."
_MAKE_POOL: Final = (
    "Make one on the host:\n"
    "$ sudo virsh pool-define-as default dir --target /var/lib/libvirt/images\n"
    "$ sudo virsh pool-autostart default && sudo virsh pool-start default"
)
_START_POOL: Final = (
    "Start it on the host:\n$ sudo virsh pool-autostart {name} && sudo virsh pool-start {name}"
)
_START_NETWORK: Final = (
    "Start the one that libvirt brings, or make a bridge:\n"
    "$ sudo virsh net-autostart default && sudo virsh net-start default"
)
_NESTED: Final = "/sys/module/{}/parameters/nested"


def libvirt(visit: Visit) -> Finding:
    """It answers, is not too old, and is not a host that the panel has already."""
    try:
        facts = visit.facts()
    except AccessDenied as error:
        return failed(
            str(error),
            "Let the user use libvirt, then check again:\n"
            f"$ sudo usermod -aG libvirt {visit.host.username or 'USER'}",
        )
    except HypervisorError as error:
        return failed(str(error), _INSTALL)
    same = Host.objects.present().filter(host_uuid=facts.uuid).exclude(pk=visit.host.pk).first()
    if same is not None:
        return failed(
            f"This is the same machine as {same.name}: both have the UUID {facts.uuid}.",
            "Remove one of the two. If they are two machines that were copied from one, give one of them a UUID "
            "of its own (host_uuid in /etc/libvirt/libvirtd.conf) and restart its libvirtd.",
        )
    said = f"libvirt {facts.libvirt_version}, QEMU {facts.qemu_version}, {facts.hostname}."
    if _older(facts.libvirt_version, OLDEST_LIBVIRT) or _older(facts.qemu_version, OLDEST_QEMU):
        return warning(
            said,
            f"The panel is made for libvirt {OLDEST_LIBVIRT} and QEMU {OLDEST_QEMU} or newer: upgrade the host.",
        )
    return passed(said)


def kvm(visit: Visit) -> Finding:
    """Machines run on the CPU itself; where not, why, and how to change it."""
    facts = visit.facts()
    found = Host(
        kvm_reason=facts.acceleration.reason.value,
        cpu_virtualization=facts.cpu_virtualization,
        virtualized_by=facts.virtualized_by,
    )
    note = acceleration.note(found)
    if note is None or facts.acceleration.kvm:
        nested = _nested(visit) if visit.host.transport == Transport.SSH else ""
        return passed(f"{note.why if note else ''} {nested}".strip())
    seen = ""
    if facts.acceleration.reason is AccelerationReason.KVM_NOT_OFFERED:
        seen = _ask(visit, ["ls", "-l", "/dev/kvm"])
    return warning(f"{note.title}. {note.why} {seen}".strip(), "\n".join(note.steps))


def pool(visit: Visit) -> Finding:
    """One is active, and new disks fit in."""
    pools = visit.hypervisor().list_pools()
    active = [one for one in pools if one.state in (PoolState.RUNNING, PoolState.DEGRADED)]
    if not active:
        if pools:
            return failed(f"The pool {pools[0].name} is not started.", _START_POOL.format(name="NAME"))
        return failed("There is no storage pool.", _MAKE_POOL)
    most = max(active, key=lambda one: one.available_bytes)
    said = f"{most.name} has {human_bytes(most.available_bytes)} free in {most.path}."
    if most.available_bytes < LEAST_SPACE:
        return warning(said, "Make room there, or add another pool.")
    return passed(said)


def network(visit: Visit) -> Finding:
    """One is active that machines can be plugged into."""
    networks = visit.hypervisor().list_networks()
    active = [one.name for one in networks if one.active]
    if active:
        return passed(f"Active: {', '.join(active[:5])}.")
    if networks:
        return warning(f"The network {networks[0].name} is not started.", _START_NETWORK)
    return warning("libvirt has no network: machines can be plugged into bridges only.", _START_NETWORK)


def _nested(visit: Visit) -> str:
    for module in ("kvm_intel", "kvm_amd"):
        said = _ask(visit, ["cat", _NESTED.format(module)])
        if said:
            return f"Nested KVM is {'on' if said in ('1', 'Y') else 'off'}."
    return ""


def _ask(visit: Visit, argv: list[str]) -> str:
    """A word more, where the host can be asked by SSH."""
    if visit.host.transport != Transport.SSH:
        return ""
    try:
        return ssh.run(visit.host, argv, deadline_s=ASK_S).strip()[:200]
    except HypervisorError:
        return ""


def _older(version: str, oldest: str) -> bool:
    return [int(part) for part in version.split(".")] < [int(part) for part in oldest.split(".")]
