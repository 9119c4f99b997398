"""Copies of volumes, made by the host itself; and other names for domains."""

from collections.abc import Callable
from uuid import UUID

import libvirt

from hypervisor import streams
from hypervisor.driver_domains import DomainCalls
from hypervisor.driver_storage import Progress, StorageCalls
from hypervisor.errors import AlreadyExists, Busy, Refused
from hypervisor.facts import VolumeFacts
from hypervisor.specs import VolumeSpec
from hypervisor.translation import translate
from hypervisor.xml import build, parse


class CopyCalls(StorageCalls, DomainCalls):
    """As `StorageCalls` and `DomainCalls`."""

    @translate(effect=True)
    def clone_volume(self, pool: UUID, name: str, *, to: UUID, spec: VolumeSpec) -> VolumeFacts:
        """A volume in the pool `to` with all that a guest sees of this one, converted to the format of `spec`.

        It stands alone: what the source was based on is in it. A qcow2 copy has the source's size, whatever `spec`
        says. Lasts as long as it takes, and can't be ended: a daemon whose client died goes on with it. Meanwhile the
        copy is in the pool and `Busy`. The source's format is libvirt's reading of its bytes: look at that before.
        """
        source = self._volume(pool, name)
        made = self._pool(to).createXMLFrom(build.volume_xml(spec), source, 0)
        return parse.volume_facts(made.XMLDesc(0))

    def drop_volume(self, pool: UUID, name: str) -> None:
        """`delete_volume`, that raises `Busy` while the volume is being made or read by a copy."""
        try:
            self.delete_volume(pool, name)
        except Refused as refused:
            raise Busy(refused.message, code=refused.code, domain=refused.domain) from refused

    @translate()
    def read_sparse(
        self,
        pool: UUID,
        name: str,
        *,
        write: Callable[[bytes], None],
        skip: Callable[[int], None],
        progress: Progress | None = None,
    ) -> None:
        """All bytes of a volume: data goes to `write`, the length of each hole to `skip`, in their order.

        `progress` gets how many bytes have passed; an exception from it ends the reading.
        """
        volume = self._volume(pool, name)
        with streams.opened(self._connection) as stream:
            volume.download(stream, 0, 0, libvirt.VIR_STORAGE_VOL_DOWNLOAD_SPARSE_STREAM)
            streams.receive_sparse(stream, write, skip, progress=progress)

    @translate(effect=True)
    def grow_volume(self, pool: UUID, name: str, capacity_bytes: int) -> VolumeFacts:
        """Let a guest see that many bytes, no fewer than now. Of a volume that no running domain has."""
        volume = self._volume(pool, name)
        volume.resize(capacity_bytes, 0)
        return parse.volume_facts(volume.XMLDesc(0))

    def rename_domain(self, uuid: UUID, name: str) -> None:
        """Give it another name. Raises `AlreadyExists` where that is taken, `Refused` while it is on.

        Files of its own that libvirt called after it keep their names.
        """
        try:
            with translate(effect=True):
                self._domain(uuid).rename(name, 0)
        except Refused as refused:
            if self.find_domain_by_name(name) in (None, uuid):
                raise
            raise AlreadyExists(refused.message, code=refused.code, domain=refused.domain) from refused
