"""Templates: machines that others are made from. What their people clear before, and who depends on them."""

from __future__ import annotations

from dataclasses import dataclass

from domains.models import Domain, DomainDisk
from storage.models import Volume

# The parameter in which an operation keeps which disks were writable before: as a machine it has them so again.
FROZEN = "frozen"


@dataclass(frozen=True, slots=True)
class Trace:
    """What a guest keeps of itself, that no other guest should have; `how` clears it on a common Linux."""

    key: str
    words: str
    why: str
    how: str


# The panel can't look into a disk: a person does it and says so. The guest is shut down right after.
TRACES = (
    Trace(
        "machine-id",
        "Machine ID",
        "Two with the same get the same address from DHCP.",
        "truncate -s 0 /etc/machine-id; rm -f /var/lib/dbus/machine-id",
    ),
    Trace(
        "ssh-host-keys",
        "SSH host keys",
        "Whoever has one machine could pose as all of them.",
        "rm -f /etc/ssh/ssh_host_*",
    ),
    Trace("hostname", "Host name", "All would report under one name.", "truncate -s 0 /etc/hostname"),
    Trace(
        "cloud-init",
        "State of cloud-init",
        "It runs once for each machine, and takes this for one it has met.",
        "cloud-init clean --logs",
    ),
    Trace(
        "network",
        "Names and leases of network cards",
        "Names given by MAC address no longer fit.",
        "rm -f /etc/udev/rules.d/70-persistent-net.rules /var/lib/dhcp/*.leases",
    ),
    Trace(
        "accounts",
        "Passwords, authorized keys, shell history",
        "They would open every machine made from it.",
        "rm -f /root/.ssh/authorized_keys /root/.bash_history",
    ),
    Trace("logs", "Logs", "They tell of another machine.", "journalctl --rotate --vacuum-time=1s"),
)
KEYS = frozenset(trace.key for trace in TRACES)


def left_in(domain: Domain) -> list[Trace]:
    """What nobody said is cleared from this template."""
    return [trace for trace in TRACES if trace.key not in domain.cleared]


def dependents(domain: Domain) -> list[str]:
    """What is based on the machine's disks, by name: machines, and disks that belong to none."""
    bases = [disk.path for disk in domain.disks.all() if disk.device == "disk" and disk.path]
    layers = Volume.objects.filter(pool__host_id=domain.host_id, gone_at=None, backing_path__in=bases)
    labels = {volume.path: str(volume) for volume in layers if volume.path not in bases}
    if not labels:
        return []
    users = DomainDisk.objects.filter(
        path__in=labels, domain__host_id=domain.host_id, domain__gone_at=None
    ).exclude(domain=domain)
    named = {disk.path: disk.domain.name for disk in users.select_related("domain")}
    return sorted({named.get(path, label) for path, label in labels.items()})
