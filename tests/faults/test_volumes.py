"""Workers die while volumes are made and filled; each file is there in full, or not at all."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings

from operations.models import Operation, OperationState
from storage import actions
from storage.models import Pool, Upload, Volume
from storage.spool import path_of
from tests.conftest import Cast
from tests.faults.harness import Crew
from tests.lab.host import LabHost
from tests.stage import adopt
from tests.storage import files

MIB = 1024**2
MOMENTS = ("before running", "after running", "before done", "after done")


@pytest.fixture
def pool(crew: Crew, lab_host: LabHost) -> Iterator[Pool]:
    yield Pool.objects.get(host=adopt(lab_host), name="default")
    for path in (*lab_host.pool_path.iterdir(), *Path(settings.UPLOADS_DIR).iterdir()):
        path.unlink()
    lab_host.virsh("pool-refresh", "default")


def arrived(pool: Pool, cast: Cast, number: int) -> Upload:
    """An upload with all its bytes."""
    content = files.iso(3 * MIB, seed=number)
    upload = actions.begin_upload(
        pool=pool, filename=f"{number}.iso", size_bytes=len(content), fingerprint="", actor=cast.operator
    )
    path_of(upload.uuid).write_bytes(content)
    return upload


def test_at_every_boundary_of_create_and_import(
    crew: Crew, cast: Cast, pool: Pool, lab_host: LabHost
) -> None:
    asked: list[Operation] = []
    for moment in MOMENTS:
        with crew.doomed(f"0:{moment}") as doom:
            asked.append(
                doom(
                    actions.create_volume(
                        pool=pool, label=moment, format="qcow2", capacity_bytes=MIB, actor=cast.operator
                    )
                )
            )
    uploads = {}
    for number, fate in enumerate(f"{step}:{moment}" for step in range(2) for moment in MOMENTS):
        upload = arrived(pool, cast, number)
        uploads[upload.uuid] = hashlib.sha256(path_of(upload.uuid).read_bytes()).hexdigest()
        with crew.doomed(fate) as doom:
            operation = actions.finish_upload(upload=upload, actor=cast.operator)
            assert operation is not None
            asked.append(doom(operation))

    ended = crew.wait(*asked, within_s=90)
    assert {operation.state for operation in ended} == {OperationState.SUCCEEDED}
    assert all(crew.met(operation) for operation in ended)

    volumes = Volume.objects.present()
    assert sorted(path.name for path in lab_host.pool_path.iterdir()) == sorted(v.name for v in volumes)
    assert volumes.count() == len(asked)
    for upload in Upload.objects.select_related("volume"):
        assert upload.volume is not None
        content = (lab_host.pool_path / upload.volume.name).read_bytes()
        assert hashlib.sha256(content).hexdigest() == upload.volume.sha256 == uploads[upload.uuid]
    assert list(Path(settings.UPLOADS_DIR).iterdir()) == []
