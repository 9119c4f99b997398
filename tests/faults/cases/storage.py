"""Pools and volumes."""

from __future__ import annotations

from uuid import uuid4

from hosts.connections import borrow
from operations.models import Operation
from storage import actions, inventory
from storage.models import Pool, Volume
from tests.faults.cases.base import MIB, Case, Ground


class CreateVolume(Case):
    kind = "volume.create"

    def prepare(self, ground: Ground) -> str:
        return f"disk {uuid4()}"

    def ask(self, ground: Ground, thing: str) -> Operation:
        return actions.create_volume(
            pool=ground.pool, label=thing, format="qcow2", capacity_bytes=MIB, actor=ground.actor
        )

    def done(self, ground: Ground, thing: str) -> None:
        volume = Volume.objects.present().get(label=thing, ready=True)
        assert (ground.lab.pool_path / volume.name).exists()

    def undone(self, ground: Ground, thing: str) -> None:
        assert not Volume.objects.present().filter(label=thing).exists()


class DeleteVolume(Case):
    kind = "volume.delete"

    def prepare(self, ground: Ground) -> Volume:
        return ground.volume()

    def ask(self, ground: Ground, thing: Volume) -> Operation:
        return actions.delete_volume(volume=thing, actor=ground.actor)

    def done(self, ground: Ground, thing: Volume) -> None:
        assert not (ground.lab.pool_path / thing.name).exists()
        assert not Volume.objects.present().filter(pk=thing.pk).exists()

    def undone(self, ground: Ground, thing: Volume) -> None:
        assert (ground.lab.pool_path / thing.name).exists()
        assert Volume.objects.present().filter(pk=thing.pk, ready=True).exists()


class RefreshPool(Case):
    """Each of a pool of its own, with a file that libvirt was not told of."""

    kind = "pool.refresh"

    def prepare(self, ground: Ground) -> Pool:
        uuid = uuid4()
        folder = ground.lab.root / f"pool-{uuid}"
        folder.mkdir()
        with borrow(ground.host) as hypervisor:
            facts = hypervisor.define_dir_pool(uuid=uuid, name=f"pool-{uuid}", path=str(folder))
        inventory.record_pool(ground.host, facts)
        (folder / "new.img").write_bytes(b"0" * 512)
        return Pool.objects.get(uuid=uuid)

    def ask(self, ground: Ground, thing: Pool) -> Operation:
        return actions.refresh_pool(pool=thing, actor=ground.actor)

    def done(self, ground: Ground, thing: Pool) -> None:
        assert [volume.name for volume in thing.volumes.all()] == ["new.img"]

    def undone(self, ground: Ground, thing: Pool) -> None:
        """It only looks."""
