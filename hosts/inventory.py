"""The only writer of what was observed of a host."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final
from uuid import UUID

from django.db import transaction
from django.db.models.functions import Coalesce, Now
from django.dispatch import Signal

from core.events import publish
from hosts.models import Credentials, Host, HostEvent, HostState
from hypervisor.facts import HostFacts

# Sent with `host` where one that answered doesn't any more, or answers (again): what is known of it turns old, or new.
state_changed = Signal()

EVENTS_KEPT: Final = 200
# What a PositiveIntegerField holds. A host can claim any number.
LARGEST: Final = 2**31 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Contact:
    """What a host that answers says each time. `cpu_percent` is the share of all its CPUs in use, None if not known."""

    memory_free_mib: int
    latency_ms: float
    cpu_percent: float | None


class SameMachine(Exception):
    """Another host of the panel is the same machine; the message says which, and what to do."""


@transaction.atomic
def record_facts(host: Host, facts: HostFacts, *, latency_ms: float) -> None:
    """Write what the host said of itself, at the moment it said so.

    Raises SameMachine, and writes nothing, where another host of the panel has its UUID: two entries for one machine
    would both do what is done to it.
    """
    _claim_uuid(host, facts.uuid)
    _tell_differences(host, facts)
    _write(
        host,
        HostState.UP,
        error="",
        down_since=None,
        seen_at=Now(),
        host_uuid=facts.uuid,
        hostname=facts.hostname[:255],
        libvirt_version=facts.libvirt_version[:32],
        qemu_version=facts.qemu_version[:32],
        cpu_arch=facts.cpu_arch[:32],
        cpu_model=facts.cpu_model[:128],
        cpu_virtualization=facts.cpu_virtualization[:8],
        cpus=min(facts.cpus, LARGEST),
        cpu_sockets=min(facts.cpu_sockets, LARGEST),
        cpu_cores_per_socket=min(facts.cpu_cores_per_socket, LARGEST),
        cpu_threads_per_core=min(facts.cpu_threads_per_core, LARGEST),
        memory_mib=min(facts.memory_mib, LARGEST),
        memory_free_mib=min(facts.memory_free_mib, LARGEST),
        numa_cells=[asdict(cell) for cell in facts.numa_cells],
        hugepages=[asdict(pages) for pages in facts.hugepages],
        kvm=facts.acceleration.kvm,
        kvm_reason=facts.acceleration.reason.value,
        virtualized_by=facts.virtualized_by[:64],
        uefi=facts.uefi_offered,
        secure_boot=facts.secure_boot_offered,
        tpm=facts.tpm_offered,
        cpu_modes=[mode[:64] for mode in facts.cpu_modes],
        cpu_models=[model[:64] for model in facts.cpu_models],
        latency_ms=latency_ms,
    )
    publish("hosts")


@transaction.atomic
def record_contacts(contacts: Mapping[Host, Contact]) -> None:
    """These still answer. Says nothing of one that is not up: it was found lost after it said this.

    A few statements, however many hosts.
    """
    up = Host.objects.filter(state=HostState.UP, pk__in=[host.pk for host in contacts])
    # In the order in which all lock them who lock several (`domains.counters`).
    keys = set(up.order_by("pk").select_for_update(no_key=True).values_list("pk", flat=True))
    there = {host: contact for host, contact in contacts.items() if host.pk in keys}
    always = ("memory_free_mib", "latency_ms", "seen_at")
    for columns in (always, (*always, "cpu_percent")):
        rows = [
            Host(pk=host.pk, seen_at=Now(), **_measured(contact))
            for host, contact in there.items()
            if (contact.cpu_percent is not None) == ("cpu_percent" in columns)
        ]
        Host.objects.bulk_update(rows, columns)
    for host in there:
        publish("host", host.uuid)


def _measured(contact: Contact) -> dict[str, Any]:
    measured = {
        "memory_free_mib": min(contact.memory_free_mib, LARGEST),
        "latency_ms": contact.latency_ms,
    }
    cpu_percent = contact.cpu_percent
    return measured if cpu_percent is None else measured | {"cpu_percent": round(cpu_percent, 1)}


def record_felt(host: Host, *, latency_ms: float) -> bool:
    """It answered after so long. False, and nothing is written, where its row does not call it up."""
    up = Host.objects.filter(pk=host.pk, state=HostState.UP)
    if not up.update(latency_ms=latency_ms, seen_at=Now()):
        return False
    publish("host", host.uuid)
    return True


@transaction.atomic
def record_lost(host: Host, error: str) -> None:
    """It doesn't answer; what was seen of it stays, with the time when it was seen."""
    _write(host, HostState.DOWN, error=error[:2000], down_since=Coalesce("down_since", Now()))


@transaction.atomic
def record_blocked(host: Host, reason: str) -> None:
    """The panel may not, or must not, talk to it until a person has mended what `reason` says."""
    _write(host, HostState.BLOCKED, error=reason[:2000], down_since=Coalesce("down_since", Now()))


def record_changed_access(host: Host) -> None:
    """It may be reachable now, where it was not: a person changed how it is reached, or a check got through.

    The watcher notices the new time of its credentials, and tries at once.
    """
    Credentials.objects.filter(host=host).update(changed_at=Now())
    Host.objects.filter(pk=host.pk).exclude(state=HostState.UP).update(
        state=HostState.NEW, error="", down_since=None
    )
    tell(host)


def note(host: Host, kind: str, text: str) -> None:
    """Remember that something happened to the host; its page shows the last EVENTS_KEPT."""
    HostEvent.objects.create(host=host, kind=kind, text=text[:2000])
    old = HostEvent.objects.filter(host=host).values_list("pk", flat=True)[EVENTS_KEPT:]
    HostEvent.objects.filter(pk__in=list(old)).delete()
    publish("host", host.uuid)


def tell(host: Host) -> None:
    """Push the change to pages that show this host, or all of them."""
    publish("host", host.uuid)
    publish("hosts")


def _claim_uuid(host: Host, uuid: UUID) -> None:
    others = Host.objects.filter(host_uuid=uuid).exclude(pk=host.pk)
    for other in others.select_for_update():
        if other.gone_at is None:
            raise SameMachine(
                f"This is the same machine as the host {other.name}: both say that their UUID is {uuid}. "
                "Remove one of the two. If they are two machines all the same, give one of them a host_uuid of its "
                "own in /etc/libvirt/libvirtd.conf and restart its libvirtd."
            )
    others.update(host_uuid=None)  # removed hosts: the machine may be added again


def _tell_differences(host: Host, facts: HostFacts) -> None:
    """What changed since this host was last seen and should not go unnoticed."""
    before = Host.objects.get(pk=host.pk)
    if before.host_uuid is None:
        return
    if before.host_uuid != facts.uuid:
        note(host, "replaced", f"Another machine answers here than before: its UUID is now {facts.uuid}.")
    for word, old, new in (
        ("libvirt", before.libvirt_version, facts.libvirt_version),
        ("QEMU", before.qemu_version, facts.qemu_version),
        ("number of CPUs", str(before.cpus), str(facts.cpus)),
    ):
        if old and old != new:
            note(host, "changed", f"Its {word} changed from {old} to {new}.")


def _write(host: Host, state: HostState, **columns: Any) -> None:
    """Write, and where the state became another one, remember and tell everybody."""
    before = Host.objects.filter(pk=host.pk).values_list("state", "error").first()
    if before is None:
        return
    Host.objects.filter(pk=host.pk).update(state=state, **columns)
    publish("host", host.uuid)
    if before[0] == state:
        return
    if state == HostState.UP:
        note(host, "connected", "Connected.")
    else:
        note(host, state.value, str(columns["error"]))
    state_changed.send(sender=Host, host=host)
    publish("hosts")
