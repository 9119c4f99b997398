"""Two real hosts in the inventory, and machines on the first of them that may go to the second."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

from django.utils import timezone

import storage.inventory
from accounts.models import User
from domains import inventory
from domains.actions.create import create
from domains.models import Domain
from domains.wishes import NewDomain
from hosts.connections import act_as, borrow
from hosts.models import Host, Transport
from networks.models import Network
from operations.models import ACTIVE, Operation, OperationState
from storage.models import Pool, Volume
from tests.eventually import eventually
from tests.lab.guest import COMMAND_LINE, Guest
from tests.lab.lab import Lab
from tests.lab.remote import RemoteHost
from tests.stage import all_machines, carry_out, read

BYTE = 0x5A


@dataclass(frozen=True, slots=True)
class Road:
    """The lab's first two hosts, as the panel knows them; `actor` asks for everything."""

    lab: Lab
    here: Host
    there: Host
    actor: User

    def machine(
        self,
        name: str,
        *,
        disk_format: str = "qcow2",
        start: bool = True,
        network: bool = True,
        guest: Guest | None = None,
        pool_name: str = "default",
        **more: Any,
    ) -> Domain:
        """A machine at `here` with a disk that `write` marked; with a `guest` it heeds its power button."""
        pool = Pool.objects.get(host=self.here, name=pool_name)
        nets = Network.objects.filter(host=self.here, name="default") if network else Network.objects.none()
        new = NewDomain(
            host=self.here,
            name=name,
            vcpus=1,
            memory_mib=128 if guest else 64,
            pool=pool,
            disk_gib=1,
            disk_format=disk_format,
            network=nets.first(),
            start=False,
            **more,
        )
        asked = carry_out(create(new=new, actor=self.actor).pk)
        done = eventually(
            lambda: _ended(asked), within_s=60
        )  # where there are workers, one may have been faster
        assert done.state == OperationState.SUCCEEDED, done.error
        uuid = done.target_id
        write(self.image(self.volume(uuid)), disk_format)
        if guest is not None:
            self._boot_directly(uuid, guest)
        if start:
            with borrow(self.here) as hypervisor:
                hypervisor.start_domain(uuid)
        self.look()
        return self.domain(uuid)

    def domain(self, uuid: UUID) -> Domain:
        """Its row as it is now."""
        found: Domain = Domain.objects.select_related("host", "team").get(uuid=uuid)
        return found

    def volume(self, uuid: UUID) -> Volume:
        """The volume behind its disk."""
        domain = self.domain(uuid)
        paths = domain.disks.filter(device="disk").values_list("path", flat=True)
        found: Volume = Volume.objects.present().get(pool__host=domain.host, path__in=paths)
        return found

    def image(self, volume: Volume) -> str:
        """Where the volume's file is, seen from the machine that the lab runs on."""
        path = Path(volume.path)
        if path.is_relative_to(self.lab.shared):
            return str(path)
        return str(self.at(volume.pool.host).outside(path))

    def at(self, host: Host) -> RemoteHost:
        """The lab's host behind a row."""
        return self.lab.hosts[0] if host.pk == self.here.pk else self.lab.hosts[1]

    def look(self) -> None:
        """Read both hosts, as the watcher would."""
        for host in (self.here, self.there):
            read(host)
            with borrow(host) as hypervisor:
                inventory.record_domains(host, all_machines(hypervisor))
                for pool in host.pools.filter(gone_at=None, state="running"):
                    storage.inventory.record_volumes(pool, hypervisor.list_volumes(pool.uuid))

    def states(self, uuid: UUID) -> list[str]:
        """What each host says of it; "" where it does not know it."""
        return [self._state(lab, uuid) for lab in self.lab.hosts]

    def volumes(self) -> list[list[str]]:
        """The files in each host's pool."""
        return [sorted(p.name for p in lab.outside(lab.pool_path).iterdir()) for lab in self.lab.hosts]

    def _boot_directly(self, uuid: UUID, guest: Guest) -> None:
        lab = self.lab.hosts[0]
        parts = {"kernel": guest.kernel, "initrd": guest.initrd, "cmdline": COMMAND_LINE}
        options = ",".join(f"{name}={value}" for name, value in parts.items())
        lab.exec("virt-xml", str(uuid), "--edit", "--boot", options)

    def _state(self, lab: RemoteHost, uuid: UUID) -> str:
        known = lab.virsh("list", "--all", "--uuid").split()
        return lab.virsh("domstate", str(uuid)).strip() if str(uuid) in known else ""


def build(lab: Lab, actor: User) -> Road:
    """The lab's hosts by TCP, read just now."""
    act_as("worker")
    rows = [
        Host.objects.create(
            name=remote.name, transport=Transport.TCP, address=remote.ip, insecure_since=timezone.now()
        )
        for remote in lab.hosts[:2]
    ]
    for row in rows:
        read(row)
        row.refresh_from_db()
    return Road(lab=lab, here=rows[0], there=rows[1], actor=actor)


def clear(lab: Lab) -> None:
    """Leave the hosts as empty as they were."""
    for remote in lab.hosts:
        remote.restore()
        for uuid in remote.virsh("list", "--all", "--uuid").split():
            if remote.virsh("domstate", uuid).strip() != "shut off":
                remote.virsh("destroy", uuid)
            if uuid in remote.virsh("list", "--all", "--uuid").split():
                remote.virsh("undefine", uuid, "--nvram")
        for path in remote.outside(remote.pool_path).iterdir():
            path.unlink()
        remote.virsh("pool-refresh", "default")


def _ended(operation: Operation) -> Operation | None:
    return Operation.objects.filter(pk=operation.pk).exclude(state__in=ACTIVE).first()


def write(image: str, disk_format: str) -> None:
    """Mark the beginning of the disk."""
    command = f"write -P {BYTE} 0 8M"
    subprocess.run(
        ["qemu-io", "-f", disk_format, "-c", command, image], check=True, capture_output=True, timeout=60
    )


def holds(image: str, disk_format: str) -> bool:
    """Whether the disk begins with what `write` put there, also while a machine has it."""
    command = f"read -P {BYTE} 0 8M"
    done = subprocess.run(
        ["qemu-io", "-U", "-r", "-f", disk_format, "-c", command, image],
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    )
    return "verification failed" not in done.stdout
