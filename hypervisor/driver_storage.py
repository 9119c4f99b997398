"""Pools and volumes."""

from collections.abc import Callable
from typing import BinaryIO
from uuid import UUID

from hypervisor.connection import Connection
from hypervisor.facts import PoolFacts, VolumeFacts
from hypervisor.specs import ImageFormat, VolumeSpec

Progress = Callable[[int], None]


class StorageCalls(Connection):
    """A pool is named by its UUID, a volume by its name within the pool; `NotFound` tells which is not there."""

    def list_pools(self) -> list[PoolFacts]:
        """All pools, active or not."""

    def read_pool(self, pool: UUID) -> PoolFacts:
        """One pool, with the sizes that libvirt saw at the last refresh or change."""

    def find_pool_by_name(self, name: str) -> UUID | None:
        """The UUID of the pool with exactly this name."""

    def refresh_pool(self, pool: UUID) -> PoolFacts:
        """Let libvirt look at the pool's directory again. Raises `Busy` while a volume of it is being filled."""

    def define_dir_pool(self, *, uuid: UUID, name: str, path: str) -> PoolFacts:
        """A pool that is a directory: made if missing, started now and with the host. Doing it twice is harmless."""

    def start_pool(self, pool: UUID) -> None:
        """Start it. Raises `AlreadyInState` if it is active."""

    def list_volumes(self, pool: UUID) -> list[VolumeFacts]:
        """All volumes of an active pool, as of its last refresh; `Refused` if it is inactive."""

    def read_volume(self, pool: UUID, name: str) -> VolumeFacts:
        """One volume; its sizes are read anew."""

    def create_volume(self, pool: UUID, spec: VolumeSpec) -> VolumeFacts:
        """An empty volume. Raises `AlreadyExists`, `NoSpace`, or `Invalid` for a name or size that cannot be."""

    def delete_volume(self, pool: UUID, name: str) -> None:
        """Delete the file; who may still use it is not checked here."""

    def upload_volume(
        self, pool: UUID, name: str, source: BinaryIO, *, size_bytes: int, progress: Progress | None = None
    ) -> None:
        """Write `size_bytes` from `source` over the beginning of an existing volume.

        `progress` gets the bytes sent so far; an exception from it (or from `source`) aborts the stream and comes out
        here. Raises `Invalid` if `source` ends early. A volume that was not filled to the end holds what came so far.
        """

    def download_volume(
        self, pool: UUID, name: str, sink: BinaryIO, *, offset_bytes: int = 0, length_bytes: int = 0
    ) -> int:
        """Write the volume's bytes (all from the offset on if `length_bytes` is 0) into `sink`; returns how many."""
