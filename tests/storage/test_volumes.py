"""Volumes on a real host: made, deleted, taken back, and never pulled away from under a machine."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from core.errors import Conflict, InvalidInput
from hosts.connections import borrow
from hypervisor.errors import NoSpace
from operations.actions import cancel
from operations.models import Operation, OperationState
from storage import actions
from storage.models import Pool, Upload, UploadState, Volume, VolumeKind
from storage.procedures.volumes import CreateVolume
from storage.spool import path_of
from tests.conftest import Cast
from tests.lab.host import LabHost
from tests.stage import carry_out
from tests.storage import files

GIB = 1024**3
MIB = 1024**2


@pytest.fixture
def made(pool: Pool, cast: Cast) -> Volume:
    """A qcow2 disk that is there."""
    return make(pool, cast)


def make(pool: Pool, cast: Cast, **changes: Any) -> Volume:
    values: dict[str, Any] = {"label": "data", "format": "qcow2", "capacity_bytes": 5 * GIB}
    operation = actions.create_volume(pool=pool, actor=cast.operator, **{**values, **changes})
    assert carry_out(operation.pk).state == OperationState.SUCCEEDED
    volume: Volume = Volume.objects.select_related("pool__host").get(uuid=operation.target_id)
    return volume


def in_pool(lab: LabHost) -> list[str]:
    return sorted(path.name for path in lab.pool_path.iterdir())


class TestCreate:
    @pytest.mark.parametrize("format", ["qcow2", "raw"])
    def test_is_there_as_asked_for(self, pool: Pool, cast: Cast, lab_host: LabHost, format: str) -> None:
        volume = make(pool, cast, format=format)
        assert volume.ready
        assert in_pool(lab_host) == [volume.name]
        assert str(volume.uuid) in volume.name
        told = lab_host.exec("qemu-img", "info", str(lab_host.pool_path / volume.name))
        assert f"file format: {format}" in told
        assert "5 GiB" in told
        assert volume.path == str(lab_host.pool_path / volume.name)
        assert volume.capacity_bytes == 5 * GIB
        assert volume.allocation_bytes < MIB

    def test_tells_what_qemu_img_tells(self, made: Volume) -> None:
        assert made.format == "qcow2"
        assert made.details["compat"] == "1.1"
        assert made.details["cluster_bytes"] == 65536

    def test_twice_makes_one(self, pool: Pool, cast: Cast, lab_host: LabHost, made: Volume) -> None:
        step, operation = CreateVolume(made.uuid), Operation.objects.get()
        assert step.probe(_run(operation))
        assert len(in_pool(lab_host)) == 1

    def test_half_a_file_is_made_anew(self, pool: Pool, cast: Cast, lab_host: LabHost) -> None:
        operation = actions.create_volume(
            pool=pool, label="data", format="raw", capacity_bytes=GIB, actor=cast.operator
        )
        name = Volume.objects.get().name
        (lab_host.pool_path / name).write_bytes(b"torn")
        lab_host.virsh("pool-refresh", "default")
        assert carry_out(operation.pk).state == OperationState.SUCCEEDED
        assert (lab_host.pool_path / name).stat().st_size == GIB

    def test_cancelled_before_it_began_leaves_nothing(
        self, pool: Pool, cast: Cast, lab_host: LabHost
    ) -> None:
        operation = actions.create_volume(
            pool=pool, label="data", format="raw", capacity_bytes=GIB, actor=cast.operator
        )
        cancel(operation=operation, actor=cast.operator)
        assert carry_out(operation.pk).state == OperationState.CANCELLED
        assert in_pool(lab_host) == []
        assert Volume.objects.get().gone_at is not None

    def test_failed_leaves_nothing(
        self, pool: Pool, cast: Cast, lab_host: LabHost, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def full(step: CreateVolume, *_: Any) -> None:
            raise NoSpace("No space left on device")

        monkeypatch.setattr(CreateVolume, "made", full)
        operation = actions.create_volume(
            pool=pool, label="data", format="raw", capacity_bytes=GIB, actor=cast.operator
        )
        ended = carry_out(operation.pk)
        assert ended.state == OperationState.FAILED
        assert "Free some space" in ended.fix
        assert not ended.left_behind
        assert in_pool(lab_host) == []
        assert not Volume.objects.filter(gone_at=None).exists()

    def test_a_label_is_taken_once(self, pool: Pool, cast: Cast, made: Volume) -> None:
        with pytest.raises(InvalidInput, match="already"):
            make(pool, cast)

    @pytest.mark.parametrize("size", [0, -1, 10 * 2**60, 2**70])
    def test_a_size_that_cannot_be(self, pool: Pool, size: int) -> None:
        with pytest.raises(InvalidInput) as refused:
            actions.reserve(pool=pool, label="x", format="qcow2", capacity_bytes=size, kind=VolumeKind.DISK)
        assert refused.value.field == "capacity_bytes"

    def test_raw_promises_add_up(self, pool: Pool) -> None:
        Pool.objects.update(available_bytes=10 * GIB)

        def reserve() -> Volume:
            return actions.reserve(
                pool=pool, label="x", format="raw", capacity_bytes=6 * GIB, kind=VolumeKind.DISK
            )

        reserve()
        with pytest.raises(InvalidInput, match="4 GiB free"):
            reserve()

    def test_in_a_pool_that_is_off(self, pool: Pool) -> None:
        Pool.objects.update(state="inactive")
        with pytest.raises(Conflict, match="not active"):
            actions.reserve(pool=pool, label="x", format="raw", capacity_bytes=1, kind=VolumeKind.DISK)


class TestDelete:
    def test_is_gone(self, made: Volume, cast: Cast, lab_host: LabHost) -> None:
        operation = actions.delete_volume(volume=made, actor=cast.operator)
        assert carry_out(operation.pk).state == OperationState.SUCCEEDED
        assert in_pool(lab_host) == []
        made.refresh_from_db()
        assert made.gone_at is not None

    def test_of_what_is_gone_already_is_done(self, made: Volume, cast: Cast, lab_host: LabHost) -> None:
        operation = actions.delete_volume(volume=made, actor=cast.operator)
        lab_host.virsh("vol-delete", made.path)
        assert carry_out(operation.pk).state == OperationState.SUCCEEDED

    def test_spares_what_a_machine_has(self, made: Volume, cast: Cast, machine_with: Any) -> None:
        """virsh plugged it in a moment ago; the inventory does not know yet."""
        operation = actions.delete_volume(volume=made, actor=cast.operator)
        machine_with(made.path)
        ended = carry_out(operation.pk)
        assert ended.state == OperationState.FAILED
        assert "in use by web1" in ended.error
        made.refresh_from_db()
        assert made.ready
        assert made.gone_at is None


class TestAPoolLookedAtAgain:
    def test_shows_what_came_and_went_beside_the_panel(
        self, pool: Pool, cast: Cast, lab_host: LabHost, made: Volume
    ) -> None:
        (lab_host.pool_path / "brought.iso").write_bytes(files.iso(MIB))
        carry_out(actions.refresh_pool(pool=pool, actor=cast.operator).pk)
        brought = Volume.objects.get(name="brought.iso")
        assert brought.kind == VolumeKind.ISO
        assert not brought.ours

        (lab_host.pool_path / "brought.iso").unlink()
        carry_out(actions.refresh_pool(pool=pool, actor=cast.operator).pk)
        brought.refresh_from_db()
        assert brought.gone_at is not None
        assert Volume.objects.filter(gone_at=None).get() == made

    def test_believes_no_header_in_a_raw_disk(
        self, pool: Pool, cast: Cast, lab_host: LabHost, tmp_path: Any
    ) -> None:
        """A guest owns every byte of its disk."""
        volume = make(pool, cast, format="raw", capacity_bytes=GIB)
        header = files.image(tmp_path, "qcow2", "-b", "/etc/passwd", "-F", "raw", size="7G")
        with (lab_host.pool_path / volume.name).open("r+b") as disk:
            disk.write(header)
        carry_out(actions.refresh_pool(pool=pool, actor=cast.operator).pk)
        volume.refresh_from_db()
        assert volume.format == "raw"
        assert volume.capacity_bytes == GIB
        assert volume.backing_path == ""


class TestImport:
    @pytest.fixture
    def upload(self, pool: Pool, cast: Cast) -> Upload:
        """All bytes are here."""
        content = files.iso(2 * MIB)
        upload = actions.begin_upload(
            pool=pool, filename="a.iso", size_bytes=len(content), fingerprint="", actor=cast.operator
        )
        path_of(upload.uuid).write_bytes(content)
        return upload

    def finish(self, upload: Upload, cast: Cast) -> Operation:
        operation = actions.finish_upload(upload=upload, actor=cast.operator)
        assert operation is not None
        return operation

    def test_is_asked_for_once(self, upload: Upload, cast: Cast) -> None:
        self.finish(upload, cast)
        assert actions.finish_upload(upload=upload, actor=cast.operator) is None
        assert Operation.objects.count() == 1

    def test_cancelled_takes_all_of_it_away(self, upload: Upload, cast: Cast, lab_host: LabHost) -> None:
        operation = self.finish(upload, cast)
        cancel(operation=operation, actor=cast.operator)
        assert carry_out(operation.pk).state == OperationState.CANCELLED
        assert in_pool(lab_host) == []
        assert not path_of(upload.uuid).exists()
        assert not Volume.objects.filter(gone_at=None).exists()
        upload.refresh_from_db()
        assert upload.state == UploadState.REFUSED

    def test_that_failed_can_be_tried_again(
        self, upload: Upload, cast: Cast, lab_host: LabHost, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with monkeypatch.context() as patch:
            patch.setattr("storage.procedures.imports.record", _raise_no_space)
            assert carry_out(self.finish(upload, cast).pk).state == OperationState.FAILED
        assert in_pool(lab_host) == []
        upload.refresh_from_db()
        assert upload.state == UploadState.RECEIVING
        assert upload.error == "No space left on device"

        assert carry_out(self.finish(upload, cast).pk).state == OperationState.SUCCEEDED
        assert len(in_pool(lab_host)) == 1
        assert Volume.objects.present().get().label == "a.iso"

    def test_a_file_that_shrank_is_not_stored(self, upload: Upload, cast: Cast, lab_host: LabHost) -> None:
        operation = self.finish(upload, cast)
        with path_of(upload.uuid).open("r+b") as file:
            file.truncate(MIB)
        assert carry_out(operation.pk).state == OperationState.FAILED
        assert in_pool(lab_host) == []

    def test_a_qcow2_disk_keeps_its_own_size(
        self, pool: Pool, cast: Cast, lab_host: LabHost, tmp_path: Any
    ) -> None:
        content = files.image(tmp_path, "qcow2", size="3G")
        upload = actions.begin_upload(
            pool=pool, filename="a.qcow2", size_bytes=len(content), fingerprint="", actor=cast.operator
        )
        path_of(upload.uuid).write_bytes(content)
        assert carry_out(self.finish(upload, cast).pk).state == OperationState.SUCCEEDED
        volume = Volume.objects.present().get()
        assert (volume.kind, volume.format) == (VolumeKind.DISK, "qcow2")
        with borrow(pool.host) as hypervisor:
            hypervisor.refresh_pool(pool.uuid)
        carry_out(actions.refresh_pool(pool=pool, actor=cast.operator).pk)
        volume.refresh_from_db()
        assert volume.capacity_bytes == 3 * GIB


@pytest.fixture
def machine_with(lab_host: LabHost) -> Iterator[Any]:
    """Defines a machine with a disk, by virsh."""

    def define(path: str) -> None:
        document = lab_host.root / "web1.xml"
        document.write_text(
            "<domain type='qemu'><name>web1</name><memory>65536</memory><os><type>hvm</type></os><devices>"
            f"<disk type='file'><source file='{path}'/><target dev='vda'/></disk></devices></domain>"
        )
        lab_host.virsh("define", str(document))

    yield define
    lab_host.virsh("undefine", "web1")


def _raise_no_space(*_: Any) -> None:
    raise NoSpace("No space left on device")


def _run(operation: Operation) -> Any:
    from operations.run import Run

    return Run(operation)
