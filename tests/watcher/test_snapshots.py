"""Snapshots that somebody takes with virsh: no event tells of them, the next reading of everything does."""

from __future__ import annotations

from domains.models import Snapshot
from hosts.models import Host
from tests.eventually import eventually
from tests.lab.host import LabHost
from tests.watcher.conftest import Define, watching


def present() -> list[tuple[str, str, bool]]:
    return list(Snapshot.objects.present().order_by("name").values_list("name", "parent", "current"))


def test_come_and_go(near: Host, define: Define, lab_host: LabHost) -> None:
    machine, disk = define("web1"), lab_host.pool_path / "shot.qcow2"
    lab_host.virsh("vol-create-as", "default", disk.name, "1M", "--format", "qcow2")
    machine.virsh("attach-disk", str(disk), "vda", "--subdriver", "qcow2", "--config")
    machine.virsh("snapshot-create-as", "one")
    machine.virsh("snapshot-create-as", "two")
    with watching():
        eventually(lambda: present() == [("one", "", False), ("two", "one", True)], within_s=20)
    machine.virsh("snapshot-delete", "--snapshotname", "one")
    with watching():
        eventually(lambda: present() == [("two", "", True)], within_s=20)
    machine.virsh("snapshot-delete", "--snapshotname", "two")
    with watching():
        eventually(lambda: present() == [], within_s=20)
    lab_host.virsh("vol-delete", disk.name, "default")
