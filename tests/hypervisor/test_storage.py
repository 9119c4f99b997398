"""Pools and volumes on a real libvirtd."""

import contextlib
import os
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from hypervisor.driver import Hypervisor
from hypervisor.errors import (
    AlreadyExists,
    AlreadyInState,
    HypervisorError,
    Invalid,
    NoSpace,
    NotFound,
    Refused,
)
from hypervisor.facts import PoolState
from hypervisor.specs import ImageFormat, VolumeSpec
from tests.lab.host import LabError, LabHost

MIB = 1024 * 1024


class TestVolume:
    @pytest.mark.parametrize("image_format", list(ImageFormat))
    def test_is_made_and_deleted(self, host: Hypervisor, pool: UUID, image_format: ImageFormat) -> None:
        volume = host.create_volume(
            pool, VolumeSpec(name="a", format=image_format, capacity_bytes=5 * 1024 * MIB)
        )

        assert (volume.format, volume.capacity_bytes) == (image_format, 5 * 1024 * MIB)
        assert volume.allocation_bytes < MIB
        assert host.list_volumes(pool) == [volume] == [host.read_volume(pool, "a")]
        host.delete_volume(pool, "a")
        assert not Path(volume.path).exists()
        with pytest.raises(NotFound):
            host.read_volume(pool, "a")
        with pytest.raises(NotFound):
            host.delete_volume(pool, "a")

    def test_may_have_its_space_set_aside(self, host: Hypervisor, pool: UUID) -> None:
        spec = VolumeSpec(name="a", format=ImageFormat.RAW, capacity_bytes=MIB, allocation_bytes=MIB)
        assert host.create_volume(pool, spec).allocation_bytes >= MIB

    def test_of_a_taken_name_is_told(self, host: Hypervisor, pool: UUID) -> None:
        spec = VolumeSpec(name="a", format=ImageFormat.RAW, capacity_bytes=MIB)
        host.create_volume(pool, spec)
        with pytest.raises(AlreadyExists):
            host.create_volume(pool, spec)

    def test_that_cannot_fit_is_told(self, host: Hypervisor, pool: UUID) -> None:
        spec = VolumeSpec(name="a", format=ImageFormat.RAW, capacity_bytes=2**49, allocation_bytes=2**49)
        with pytest.raises(NoSpace):
            host.create_volume(pool, spec)
        assert host.list_volumes(pool) == []

    def test_needs_a_pool(self, host: Hypervisor) -> None:
        with pytest.raises(NotFound):
            host.create_volume(uuid4(), VolumeSpec(name="a", format=ImageFormat.RAW, capacity_bytes=MIB))


class TestTransfer:
    CONTENT = os.urandom(3 * MIB + 17)

    @pytest.fixture
    def volume(self, host: Hypervisor, pool: UUID) -> str:
        spec = VolumeSpec(name="a.iso", format=ImageFormat.RAW, capacity_bytes=len(self.CONTENT))
        return host.create_volume(pool, spec).name

    def test_goes_there_and_back(self, host: Hypervisor, pool: UUID, volume: str) -> None:
        told: list[int] = []
        host.upload_volume(
            pool, volume, BytesIO(self.CONTENT), size_bytes=len(self.CONTENT), progress=told.append
        )
        back, part = BytesIO(), BytesIO()

        assert host.download_volume(pool, volume, back) == len(self.CONTENT)
        assert back.getvalue() == self.CONTENT
        assert host.download_volume(pool, volume, part, offset_bytes=MIB, length_bytes=10) == 10
        assert part.getvalue() == self.CONTENT[MIB : MIB + 10]
        assert told == sorted(told)
        assert told[-1] == len(self.CONTENT)

    def test_stops_when_progress_says_so(self, host: Hypervisor, pool: UUID, volume: str) -> None:
        class Cancelled(Exception):
            pass

        def cancel(_sent: int) -> None:
            raise Cancelled

        with pytest.raises(Cancelled):
            host.upload_volume(
                pool, volume, BytesIO(self.CONTENT), size_bytes=len(self.CONTENT), progress=cancel
            )
        host.upload_volume(pool, volume, BytesIO(self.CONTENT), size_bytes=len(self.CONTENT))
        assert Path(host.read_volume(pool, volume).path).read_bytes() == self.CONTENT

    def test_says_when_the_source_ends_early(self, host: Hypervisor, pool: UUID, volume: str) -> None:
        with pytest.raises(Invalid):
            host.upload_volume(pool, volume, BytesIO(b"short"), size_bytes=len(self.CONTENT))

    def test_needs_a_volume(self, host: Hypervisor, pool: UUID) -> None:
        with pytest.raises(NotFound):
            host.upload_volume(pool, "nothing", BytesIO(b"x"), size_bytes=1)
        with pytest.raises(NotFound):
            host.download_volume(pool, "nothing", BytesIO())


class TestPool:
    @pytest.fixture
    def directory(self, lab_host: LabHost) -> Path:
        return lab_host.root / f"pool-{uuid4()}"

    @pytest.fixture
    def second(self, host: Hypervisor, lab_host: LabHost, directory: Path) -> Iterator[UUID]:
        uuid = uuid4()
        name = f"second-{uuid}"
        host.define_dir_pool(uuid=uuid, name=name, path=str(directory))
        yield uuid
        with contextlib.suppress(LabError):
            lab_host.virsh("pool-destroy", str(uuid))
        lab_host.virsh("pool-undefine", str(uuid))

    def test_is_a_directory_that_is_made(self, host: Hypervisor, second: UUID, directory: Path) -> None:
        facts = host.read_pool(second)

        assert directory.is_dir()
        assert (facts.state, facts.kind, facts.path) == (PoolState.RUNNING, "dir", str(directory))
        assert (facts.autostart, facts.persistent) == (True, True)
        assert facts.capacity_bytes >= facts.available_bytes > 0
        assert host.find_pool_by_name(facts.name) == second
        assert facts.uuid in {pool.uuid for pool in host.list_pools()}

    def test_twice_is_harmless_and_finds_new_files(
        self, host: Hypervisor, second: UUID, directory: Path
    ) -> None:
        (directory / "new.iso").write_bytes(b"x")
        assert host.list_volumes(second) == []

        host.define_dir_pool(uuid=second, name=host.read_pool(second).name, path=str(directory))
        assert [volume.name for volume in host.list_volumes(second)] == ["new.iso"]

        (directory / "newer.iso").write_bytes(b"x")
        host.refresh_pool(second)
        assert len(host.list_volumes(second)) == 2

    def test_of_a_taken_name_uuid_or_directory_is_told(
        self, host: Hypervisor, second: UUID, directory: Path
    ) -> None:
        name = host.read_pool(second).name

        with pytest.raises(AlreadyExists):
            host.define_dir_pool(uuid=uuid4(), name=name, path=f"{directory}-b")
        with pytest.raises(AlreadyExists):
            host.define_dir_pool(uuid=second, name="another", path=f"{directory}-b")
        with pytest.raises(AlreadyExists):
            host.define_dir_pool(uuid=uuid4(), name="another", path=str(directory))

    def test_that_cannot_be_made_leaves_nothing(self, host: Hypervisor) -> None:
        with pytest.raises(HypervisorError):
            host.define_dir_pool(uuid=uuid4(), name="impossible", path="/dev/null/pool")
        assert host.find_pool_by_name("impossible") is None

    def test_starts_once(self, host: Hypervisor, second: UUID, lab_host: LabHost) -> None:
        lab_host.virsh("pool-destroy", str(second))
        assert host.read_pool(second).state is PoolState.INACTIVE
        with pytest.raises(Refused):
            host.list_volumes(second)
        host.start_pool(second)
        with pytest.raises(AlreadyInState):
            host.start_pool(second)

    def test_a_stranger_is_not_found(self, host: Hypervisor) -> None:
        assert host.find_pool_by_name("nobody") is None
        with pytest.raises(NotFound):
            host.read_pool(uuid4())
