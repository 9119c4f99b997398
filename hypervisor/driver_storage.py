"""Pools and volumes."""

import contextlib
from collections.abc import Callable
from typing import BinaryIO
from uuid import UUID

import libvirt

from hypervisor import streams
from hypervisor.connection import Connection, unless_so_already, unless_taken
from hypervisor.errors import HypervisorError, NoSpace, NotFound
from hypervisor.facts import PoolFacts, VolumeFacts
from hypervisor.specs import VolumeSpec
from hypervisor.states import pool_state
from hypervisor.translation import translate
from hypervisor.xml import build, parse

Progress = Callable[[int], None]


class StorageCalls(Connection):
    """A pool is named by its UUID, a volume by its name within the pool; `NotFound` tells which is not there."""

    @translate()
    def list_pools(self) -> list[PoolFacts]:
        """All pools, active or not, with the sizes that libvirt saw at their last refresh or change."""
        return [_pool_facts(pool) for pool in self._connection.listAllStoragePools(0)]

    @translate()
    def read_pool(self, pool: UUID) -> PoolFacts:
        """One pool, with the sizes that libvirt saw at the last refresh or change."""
        return _pool_facts(self._pool(pool))

    def find_pool_by_name(self, name: str) -> UUID | None:
        """The UUID of the pool with exactly this name."""
        try:
            with translate():
                return UUID(self._connection.storagePoolLookupByName(name).UUIDString())
        except NotFound:
            return None

    @translate()
    def refresh_pool(self, pool: UUID) -> PoolFacts:
        """Let libvirt look at the pool's directory again. Raises `Refused` while a volume of it is being filled."""
        found = self._pool(pool)
        found.refresh(0)
        return _pool_facts(found)

    def define_dir_pool(self, *, uuid: UUID, name: str, path: str) -> PoolFacts:
        """A pool that is a directory: made if missing, started now and with the host. Doing it twice is harmless.

        Raises `AlreadyExists` if another pool has the name, the UUID or the directory. A pool whose directory cannot
        be made is not left behind.
        """
        document = build.dir_pool_xml(uuid=str(uuid), name=name, path=path)
        with unless_taken(lambda: self._is_pool_taken(uuid, name, path)), translate(effect=True):
            found = self._connection.storagePoolDefineXML(document, 0)
            if found.isActive():
                found.refresh(0)
            else:
                _build_and_start(found)
            found.setAutostart(1)
            return _pool_facts(found)

    def start_pool(self, pool: UUID) -> None:
        """Start it. Raises `AlreadyInState` if it is active."""
        with unless_so_already(lambda: self._is_pool_active(pool)), translate(effect=True):
            self._pool(pool).create(0)

    @translate()
    def list_volumes(self, pool: UUID) -> list[VolumeFacts]:
        """All volumes of an active pool, as of its last refresh; `Refused` if it is inactive."""
        found = []
        for volume in self._pool(pool).listAllVolumes(0):
            try:
                with translate():
                    found.append(parse.volume_facts(volume.XMLDesc(0)))
            except NotFound:
                continue
        return found

    @translate()
    def read_volume(self, pool: UUID, name: str) -> VolumeFacts:
        """One volume; its sizes are read anew."""
        return parse.volume_facts(self._volume(pool, name).XMLDesc(0))

    def create_volume(self, pool: UUID, spec: VolumeSpec) -> VolumeFacts:
        """An empty volume. Raises `AlreadyExists`, `NoSpace`, or `Invalid` for a name or size that cannot be."""
        document = build.volume_xml(spec)
        try:
            with translate(effect=True):
                volume = self._pool(pool).createXML(document, 0)
                return parse.volume_facts(volume.XMLDesc(0))
        except HypervisorError as failure:
            if (
                type(failure) is HypervisorError
                and spec.allocation_bytes > self.read_pool(pool).available_bytes
            ):
                raise NoSpace(failure.message, code=failure.code, domain=failure.domain) from failure
            raise

    @translate(effect=True)
    def delete_volume(self, pool: UUID, name: str) -> None:
        """Delete the file; who may still use it is not checked here."""
        self._volume(pool, name).delete(0)

    @translate(effect=True)
    def upload_volume(
        self, pool: UUID, name: str, source: BinaryIO, *, size_bytes: int, progress: Progress | None = None
    ) -> None:
        """Write `size_bytes` from `source` over the beginning of an existing volume, whatever its capacity is.

        `progress` gets the bytes sent so far; an exception from it (or from `source`) aborts the stream and comes out
        here. Raises `Invalid` if `source` ends early. A volume that was not filled to the end holds what came so far.
        """
        volume = self._volume(pool, name)
        with streams.opened(self._connection) as stream:
            volume.upload(stream, 0, size_bytes, 0)
            streams.send(stream, source, size_bytes=size_bytes, progress=progress)

    @translate()
    def download_volume(
        self, pool: UUID, name: str, sink: BinaryIO, *, offset_bytes: int = 0, length_bytes: int = 0
    ) -> int:
        """Write the volume's bytes (all from the offset on if `length_bytes` is 0) into `sink`; returns how many."""
        volume = self._volume(pool, name)
        with streams.opened(self._connection) as stream:
            volume.download(stream, offset_bytes, length_bytes, 0)
            return streams.receive(stream, sink)

    def _pool(self, uuid: UUID) -> libvirt.virStoragePool:
        return self._connection.storagePoolLookupByUUIDString(str(uuid))

    def _volume(self, pool: UUID, name: str) -> libvirt.virStorageVol:
        return self._pool(pool).storageVolLookupByName(name)

    @translate()
    def _is_pool_active(self, uuid: UUID) -> bool:
        return bool(self._pool(uuid).isActive())

    def _is_pool_taken(self, uuid: UUID, name: str, path: str) -> bool:
        others = [pool for pool in self.list_pools() if (pool.uuid, pool.name) != (uuid, name)]
        return any(uuid == pool.uuid or name == pool.name or path == pool.path for pool in others)


def _build_and_start(pool: libvirt.virStoragePool) -> None:
    try:
        pool.build(0)
        pool.create(0)
    except libvirt.libvirtError:
        with contextlib.suppress(libvirt.libvirtError):
            pool.undefine()
        raise


def _pool_facts(pool: libvirt.virStoragePool) -> PoolFacts:
    return parse.pool_facts(
        pool.XMLDesc(0),
        state=pool_state(pool.info()[0]),
        persistent=bool(pool.isPersistent()),
        autostart=bool(pool.autostart()),
    )
